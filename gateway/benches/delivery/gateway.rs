//! A gateway process, and what the operating system says about it.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The secret of its tokens.
pub const SECRET: &str = "a secret of more than thirty-two bytes";
/// What `/proc/<pid>/stat` counts in: always 100 a second on Linux.
const TICK: Duration = Duration::from_millis(10);

/// A running gateway; ends with this.
pub struct Gateway {
    /// Of Socket.IO.
    pub address: SocketAddr,
    /// Its process.
    pub process: Child,
}

impl Gateway {
    /// Starts one with Redis keys of its own and these settings, and waits until it is ready.
    pub async fn start(database: &str, redis: &str, more: &[(&str, &str)]) -> Self {
        let (public, admin) = (free_port(), free_port());
        let settings = [
            ("SERVER__HOST", "127.0.0.1".to_owned()),
            ("SERVER__PORT", public.port().to_string()),
            ("ADMIN__HOST", "127.0.0.1".to_owned()),
            ("ADMIN__PORT", admin.port().to_string()),
            ("POSTGRES__URL", database.to_owned()),
            ("REDIS__URL", redis.to_owned()),
            ("REDIS__PREFIX", format!("bench-{:016x}:", rand::random::<u64>())),
            ("AUTH__JWT_SECRET", SECRET.to_owned()),
            ("GATEWAY__POLICY", "open".to_owned()),
        ];
        let process = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .envs(settings.iter().map(|(name, value)| (format!("PARLANCE__{name}"), value)))
            .envs(more.iter().map(|(name, value)| (format!("PARLANCE__{name}"), value)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let gateway = Self { address: public, process };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_ready(admin).await {
            assert!(Instant::now() < deadline, "the gateway does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gateway
    }

    /// CPU time that it has used, in user and kernel.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.id())
    }

    /// Bytes of memory that it has.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024.0 * line.trim().trim_end_matches(" kB").parse::<f64>().unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// CPU time that a process has used, in user and kernel.
pub fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name before it may hold anything, in parentheses.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().unwrap()).sum();
    TICK * ticks
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn is_ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin).await else { return false };
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200 ")
}
