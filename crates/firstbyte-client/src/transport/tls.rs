//! One TLS configuration, made when it is first needed.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::error::{ClientError, Failure, Reason};

/// The configuration of all transports that trust what the system trusts and have no identity:
/// reading the system's certificates takes tens of milliseconds.
static COMMON: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();

/// What the user added to the common configuration.
pub(super) struct Tls {
    material: Arc<Material>,
    /// `None` if nothing was added.
    own: Option<OnceCell<Arc<ClientConfig>>>,
}

#[derive(Default)]
struct Material {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Tls {
    pub(super) fn new(roots: &[Vec<u8>], identity: Option<&[u8]>) -> Result<Self, ClientError> {
        let mut material = Material::default();
        for pem in roots {
            material.roots.extend(certificates(pem, "root_certificate")?);
        }
        if let Some(pem) = identity {
            let chain = certificates(pem, "identity")?;
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
                ClientError::config(
                    "identity: no PEM private key found; put it below the certificate",
                )
            })?;
            material.identity = Some((chain, key));
        }
        let own = (!roots.is_empty() || identity.is_some()).then(OnceCell::new);
        if own.is_some() {
            // Finds a root or a key that cannot be used before the first call does.
            material.config(RootCertStore::empty()).map_err(|e| {
                ClientError::config(format!("root_certificate or identity cannot be used: {e}"))
            })?;
        }
        Ok(Self { material: Arc::new(material), own })
    }

    /// The connector, made by the first call; blocks no thread of the runtime.
    pub(super) async fn connector(&self) -> Result<TlsConnector, Failure> {
        let cell = self.own.as_ref().unwrap_or(&COMMON);
        let config = cell.get_or_try_init(|| async {
            let material = Arc::clone(&self.material);
            let made = tokio::task::spawn_blocking(move || material.config(native_roots().clone()));
            let made = made.await.map_err(|_| Failure::from(Reason::Tls))?;
            let made = made.map_err(|e| Failure { reason: Reason::Tls, source: Some(e.into()) })?;
            Ok::<_, Failure>(Arc::new(made))
        });
        Ok(TlsConnector::from(Arc::clone(config.await?)))
    }
}

impl Material {
    fn config(&self, mut roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
        for root in &self.roots {
            roots.add(root.clone())?;
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(ClientError::config(format!("{name}: no PEM certificate found"))),
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// What the system trusts. A certificate that cannot be read is left out, as everywhere.
fn native_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}
