//! Certificates and rustls configurations for a server on the loopback.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

/// A certificate authority made for one test, a server certificate of it for `localhost`,
/// `127.0.0.1` and `::1`, and a client certificate of it.
///
/// Everything uses rustls with *ring*, never the process default. A second fixture is an authority
/// that the first one doesn't trust.
#[derive(Debug)]
pub struct TlsFixture {
    ca_pem: String,
    roots: Arc<RootCertStore>,
    server: Identity,
    client: Identity,
}

#[derive(Debug)]
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl TlsFixture {
    /// New keys and certificates.
    ///
    /// # Panics
    ///
    /// If they can't be made, as all the functions of this type.
    #[must_use]
    pub fn new() -> Self {
        let ca = authority();
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect("take the authority as a root");
        let names = ["localhost", "127.0.0.1", "::1"];
        Self {
            ca_pem: ca.pem(),
            roots: Arc::new(roots),
            server: Identity::new(&ca, &names, ExtendedKeyUsagePurpose::ServerAuth),
            client: Identity::new(&ca, &["client"], ExtendedKeyUsagePurpose::ClientAuth),
        }
    }

    /// The certificate of the authority, in PEM: what a client has to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The client's private key and certificate, in one PEM.
    #[must_use]
    pub fn client_identity_pem(&self) -> &str {
        &self.client.pem
    }

    /// A server that asks for no client certificate.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let builder = server_builder().with_no_client_auth();
        let (chain, key) = self.server.chain_and_key();
        Arc::new(builder.with_single_cert(chain, key).expect("server certificate"))
    }

    /// A server that ends the handshake with a client that has no certificate of the authority.
    #[must_use]
    pub fn server_config_requiring_client(&self) -> Arc<ServerConfig> {
        let roots = Arc::clone(&self.roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .build()
            .expect("verifier with one root");
        let builder = server_builder().with_client_cert_verifier(verifier);
        let (chain, key) = self.server.chain_and_key();
        Arc::new(builder.with_single_cert(chain, key).expect("server certificate"))
    }

    /// A client that trusts the authority and has no certificate.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let builder = client_builder().with_root_certificates(Arc::clone(&self.roots));
        Arc::new(builder.with_no_client_auth())
    }

    /// A client that trusts the authority and shows its certificate when asked.
    #[must_use]
    pub fn client_config_with_identity(&self) -> Arc<ClientConfig> {
        let builder = client_builder().with_root_certificates(Arc::clone(&self.roots));
        let (chain, key) = self.client.chain_and_key();
        Arc::new(builder.with_client_auth_cert(chain, key).expect("client certificate"))
    }
}

impl Default for TlsFixture {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    fn new(
        ca: &CertifiedIssuer<'_, KeyPair>,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
    ) -> Self {
        let mut params = params(names, names[0]);
        params.extended_key_usages = vec![usage];
        // Python's strict verification wants it.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, ca).expect("certificate");
        let pem = key.serialize_pem() + &certificate.pem();
        Self { certificate: certificate.der().clone(), key, pem }
    }

    fn chain_and_key(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.clone()], key.into())
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    // Each has its own name, or a client would take one for another with a wrong signature.
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("firstbyte test authority {}", MADE.fetch_add(1, Relaxed));
    let mut params = params(&[], &name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("key");
    CertifiedIssuer::self_signed(params, key).expect("certificate of the authority")
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of a certificate");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn server_builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("protocol versions of ring")
}

fn client_builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("protocol versions of ring")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };
    use tokio_rustls::{
        TlsConnector,
        rustls::{client::WebPkiServerVerifier, pki_types::ServerName},
    };

    use super::*;
    use crate::{Script, ScriptedServer, response};

    const GET: &[u8] = b"GET /pause HTTP/1.1\r\n\r\n";

    async fn start(config: Arc<ServerConfig>) -> ScriptedServer {
        let script = Script::new().read_request().write(response(200, &[], "ok"));
        ScriptedServer::start_tls(script, config).await
    }

    async fn get(server: &ScriptedServer, config: Arc<ClientConfig>) -> io::Result<String> {
        let name = ServerName::try_from(server.addr().ip().to_string()).expect("an address");
        let tcp = TcpStream::connect(server.addr()).await?;
        let mut tls = TlsConnector::from(config).connect(name, tcp).await?;
        tls.write_all(GET).await?;
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_script_runs_inside_a_tls_session() {
        let tls = TlsFixture::new();
        let server = start(tls.server_config()).await;
        assert!(server.url("/pause").starts_with("https://127.0.0.1:"));

        let answer = get(&server, tls.client_config()).await.expect("answer and a clean end");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        assert_eq!(server.requests()[0].path, "/pause");
    }

    #[tokio::test]
    async fn a_client_of_another_authority_refuses_the_server() {
        let server = start(TlsFixture::new().server_config()).await;
        let error = get(&server, TlsFixture::new().client_config()).await.expect_err("not trusted");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        assert_eq!(server.requests().len(), 0);
    }

    #[tokio::test]
    async fn a_server_can_insist_on_a_certificate_of_its_own_authority() {
        let (tls, stranger) = (TlsFixture::new(), TlsFixture::new());
        let server = start(tls.server_config_requiring_client()).await;

        get(&server, tls.client_config()).await.expect_err("no certificate");
        let mut wrong = ClientConfig::clone(&stranger.client_config_with_identity());
        wrong.dangerous().set_certificate_verifier(
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&tls.roots), provider())
                .build()
                .expect("verifier"),
        );
        get(&server, Arc::new(wrong)).await.expect_err("a certificate of another authority");
        assert_eq!(server.requests().len(), 0);

        get(&server, tls.client_config_with_identity()).await.expect("the right certificate");
        assert_eq!(server.requests().len(), 1);
    }

    #[test]
    fn the_pem_of_the_client_holds_its_key_and_its_certificate() {
        let pem = TlsFixture::new().client_identity_pem().to_owned();
        assert_eq!(pem.matches("-----BEGIN PRIVATE KEY-----").count(), 1);
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 1);
    }
}
