//! Which requests are control calls, and what their operation is called.

use std::{fmt, fs, path::Path, sync::Arc};

use crate::schema::Tag;

/// A control operation: what a request's method and path mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// HTTP method in capitals.
    pub method: Box<str>,
    /// Exact path, without a trailing slash.
    pub path: Box<str>,
    /// Name of the operation.
    pub operation: Arc<str>,
    /// [`Tag::Weights`] for the weight-update family, [`Tag::Admin`] for other control routes.
    pub tag: Tag,
    /// Whether it changes the server's state: all but GET, HEAD and OPTIONS do, of these the tag
    /// `weights`, and what the table says.
    pub acts: bool,
    /// Place of the operation in [`RouteTable::operations`]: routes of one operation share it.
    pub operation_index: usize,
}

/// A server's own names for the control operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// vLLM with `VLLM_SERVER_DEV_MODE=1`, and the servers that copy its routes.
    Vllm,
    /// SGLang.
    Sglang,
    /// prime-rl's inference server, and those of others who train: what AReaL and SkyRL add to vLLM, and TRL's own.
    PrimeRl,
}

impl Dialect {
    /// All dialects that are built in.
    pub const ALL: [Self; 3] = [Self::Vllm, Self::Sglang, Self::PrimeRl];

    /// The routes in the format that [`RouteTable::extend`] reads.
    #[must_use]
    pub const fn routes(self) -> &'static str {
        match self {
            Self::Vllm => include_str!("route/vllm.routes"),
            Self::Sglang => include_str!("route/sglang.routes"),
            Self::PrimeRl => include_str!("route/prime-rl.routes"),
        }
    }
}

/// Control routes by method and path.
///
/// The table is data: the dialects built in are files of the format that users can write
/// themselves, one route per line. `#` begins a comment.
///
/// ```text
/// # method  path             operation        tag (default: weights)
/// POST      /update_weights  update_weights
/// GET       /is_paused       is_paused        admin
/// GET       /start_profile   start_profile    admin  acts
/// ```
///
/// `acts` is for a GET of the tag `admin` that changes the server's state all the same.
///
/// A look-up costs a few nanoseconds for paths whose length no route has, which are most.
///
/// ```
/// use firstbyte_core::RouteTable;
///
/// let mut routes = RouteTable::builtin();
/// routes.extend("POST /my/reload reload_weights")?;
/// let route = routes.find("POST", "/my/reload/").expect("just added");
/// assert_eq!(&*route.operation, "reload_weights");
/// assert!(routes.find("POST", "/v1/completions").is_none());
/// # Ok::<(), firstbyte_core::RouteError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// Routes by the length of their path.
    by_length: Vec<Bucket>,
    operations: Vec<Arc<str>>,
}

/// Routes whose paths are equally long.
#[derive(Clone, Debug, Default)]
struct Bucket {
    /// A bit for the second byte of every path: most paths of other requests end here.
    second_bytes: u32,
    routes: Vec<(u64, Route)>,
}

/// The bit of a path in [`Bucket::second_bytes`].
#[inline]
fn second_byte(path: &str) -> u32 {
    path.as_bytes().get(1).map_or(1, |byte| 1 << (byte & 31))
}

/// A digest of a path's first and last bytes, so that few paths are compared whole.
#[inline]
fn digest(path: &str) -> u64 {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let bytes = path.as_bytes();
    word(bytes.first_chunk()).rotate_left(23) ^ word(bytes.last_chunk())
}

impl RouteTable {
    /// What requests without a route are counted under; no route has an operation of this name.
    pub const OTHER: &'static str = "other";

    /// A table without routes.
    #[must_use]
    pub const fn empty() -> Self {
        Self { by_length: Vec::new(), operations: Vec::new() }
    }

    /// The routes of every [`Dialect`].
    #[must_use]
    pub fn builtin() -> Self {
        let mut table = Self::empty();
        for dialect in Dialect::ALL {
            // Built-in text is checked by a test.
            _ = table.extend(dialect.routes());
        }
        table
    }

    /// The built-in routes, extended by the file that `FIRSTBYTE_ROUTES` names, if it names one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a line of it is not a route.
    pub fn from_env() -> Result<Self, RouteError> {
        let mut table = Self::builtin();
        if let Some(path) = std::env::var_os("FIRSTBYTE_ROUTES").filter(|path| !path.is_empty()) {
            table.extend_from_file(path.as_ref())?;
        }
        Ok(table)
    }

    /// Adds the routes of a file; see [`RouteTable::extend`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a line of it is not a route.
    pub fn extend_from_file(&mut self, path: &Path) -> Result<(), RouteError> {
        let text = fs::read_to_string(path)
            .map_err(|e| RouteError(format!("cannot read routes from {}: {e}", path.display())))?;
        self.extend(&text).map_err(|RouteError(e)| RouteError(format!("{}: {e}", path.display())))
    }

    /// Adds routes, one per line: method, path, operation, and optionally a tag and the word `acts`.
    ///
    /// A route with a method and path that the table already has replaces it.
    ///
    /// # Errors
    ///
    /// If a line is not a route; the message names the line. Lines before it were added.
    pub fn extend(&mut self, text: &str) -> Result<(), RouteError> {
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<_> = line.split_whitespace().collect();
            let route = match words[..] {
                [] => continue,
                [method, path, operation] => route(method, path, operation, "weights", false),
                [method, path, operation, tag] => route(method, path, operation, tag, false),
                [method, path, operation, tag, "acts"] => route(method, path, operation, tag, true),
                _ => Err("expected METHOD PATH OPERATION [weights|admin [acts]]"),
            };
            let route = route.map_err(|e| RouteError(format!("line {}: {e}", number + 1)))?;
            self.insert(route);
        }
        Ok(())
    }

    /// The route of a request, if it is a control call. A trailing slash of `path` is ignored.
    #[inline]
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<&Route> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let bucket = self.by_length.get(path.len())?;
        if bucket.second_bytes & second_byte(path) == 0 {
            return None;
        }
        let digest = digest(path);
        let routes = bucket.routes.iter().filter(|(other, _)| *other == digest);
        let mut routes = routes.map(|(_, route)| route);
        routes.find(|route| *route.path == *path && *route.method == *method)
    }

    /// All routes.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.by_length.iter().flat_map(|bucket| &bucket.routes).map(|(_, route)| route)
    }

    /// The names of all operations, each once, in the order in which they were added.
    #[must_use]
    pub fn operations(&self) -> &[Arc<str>] {
        &self.operations
    }

    fn insert(&mut self, mut route: Route) {
        let known = self.operations.iter().position(|operation| *operation == route.operation);
        route.operation_index = known.unwrap_or_else(|| {
            self.operations.push(route.operation.clone());
            self.operations.len() - 1
        });
        let length = route.path.len();
        if self.by_length.len() <= length {
            self.by_length.resize_with(length + 1, Bucket::default);
        }
        let bucket = &mut self.by_length[length];
        bucket.second_bytes |= second_byte(&route.path);
        bucket.routes.retain(|(_, old)| old.path != route.path || old.method != route.method);
        bucket.routes.push((digest(&route.path), route));
    }
}

fn route(
    method: &str,
    path: &str,
    operation: &str,
    tag: &str,
    acts: bool,
) -> Result<Route, &'static str> {
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err("the method must be in capitals, such as POST");
    }
    if !path.starts_with('/') || path.len() > 1024 {
        return Err("the path must start with / and have at most 1,024 bytes");
    }
    if path.contains('?') {
        return Err("the path must have no query: routes are found whatever the query is");
    }
    if !operation.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err("the operation must be of lower-case letters, digits and _");
    }
    if operation == RouteTable::OTHER {
        return Err(
            "requests without a route are counted under the operation other: choose another name",
        );
    }
    let tag = match tag {
        "weights" => Tag::Weights,
        "admin" => Tag::Admin,
        _ => return Err("the tag must be weights or admin"),
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    // The table gives the operation its place.
    let operation_index = 0;
    let acts = acts || tag == Tag::Weights || !matches!(method, "GET" | "HEAD" | "OPTIONS");
    Ok(Route {
        method: method.into(),
        path: path.into(),
        operation: operation.into(),
        tag,
        acts,
        operation_index,
    })
}

/// A route table could not be read; the message says where and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError(String);

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RouteError {}

#[cfg(test)]
mod tests;
