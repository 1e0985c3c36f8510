//! The environment variables that applications of this sort have already, so that their deployments fit as they
//! are. One list a setting; the section that owns the setting refers to it with [`super::Setting::env`].

/// Where clients are listened for.
pub const HOST: &[&str] = &["HOST"];
/// The port that clients connect to.
pub const PORT: &[&str] = &["PORT", "SOCKET_PORT", "SOCKET_IO_PORT"];
/// The Redis server or cluster.
pub const REDIS_URL: &[&str] = &["REDIS_URL"];
/// The Postgres database.
pub const DATABASE_URL: &[&str] = &["DATABASE_URL"];
/// The key that access tokens are signed with.
pub const JWT_SECRET: &[&str] = &["JWT_SECRET", "JWT_ACCESS_SECRET_KEY"];
/// The origins of the web clients.
pub const CLIENT_URL: &[&str] = &["CLIENT_URL", "FRONTEND_URL", "SOCKET_IO_CORS_ORIGIN"];
/// The collector of traces, as in the specification of OpenTelemetry.
pub const OTLP_ENDPOINT: &[&str] = &["OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What a machine or a pod calls itself.
pub const HOSTNAME: &[&str] = &["HOSTNAME"];
/// What is logged.
pub const RUST_LOG: &[&str] = &["RUST_LOG"];
