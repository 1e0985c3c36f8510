//! A Redis of its own, for tests that restart, freeze or fill it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::world::DEADLINE;

/// A server that has every write on disk before it answers; ended, with its data, when dropped.
pub struct Server {
    process: Option<Child>,
    directory: PathBuf,
    port: u16,
    options: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(Vec::new)
    }

    /// The same with options beside its own. They are made anew for each start that is tried.
    pub fn with(options: impl Fn() -> Vec<String>) -> Self {
        let directory = std::env::temp_dir().join(format!("parlance-broker-{:016x}", rand::random::<u64>()));
        fs::create_dir(&directory).unwrap();
        // Another process may take a port before Redis does; then another one is tried.
        for _ in 0..10 {
            let (port, options) = (free_port(), options());
            if let Some(process) = launch(&directory, port, &options) {
                return Self { process: Some(process), directory, port, options };
            }
        }
        panic!("no port is free for a redis-server");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What follows a name among the options of [`Server::with`].
    pub fn option(&self, name: &str) -> &str {
        let at = self.options.iter().position(|option| option == name).expect("such an option");
        &self.options[at + 1]
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Ends it as an operator does.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.process.take().unwrap().wait().unwrap();
    }

    /// Starts it again, on the same port, with the data that it had.
    pub fn start_again(&mut self) {
        self.process =
            Some(launch(&self.directory, self.port, &self.options).expect("redis-server starts again"));
    }

    /// Lets it accept connections and commands, and answer none.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it answer again.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Keeps a copy of the data as it is now.
    pub fn keep_data(&self) {
        copy(&self.directory.join("appendonlydir"), &self.directory.join("kept"));
    }

    /// Goes back to that copy. To be called while it is stopped.
    pub fn go_back(&self) {
        let data = self.directory.join("appendonlydir");
        fs::remove_dir_all(&data).unwrap();
        copy(&self.directory.join("kept"), &data);
    }

    /// Sends a command, on a connection of its own, and returns what it answers.
    pub fn ask(&self, command: &str) -> String {
        ask(self.port, command).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(status.success(), "kill -s {name} {id}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that answers; `None` when it ends at once.
fn launch(directory: &Path, port: u16, options: &[String]) -> Option<Child> {
    let mut process = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(directory)
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    // What answers on the port may be somebody else's.
    let own = format!("process_id:{}\r", process.id());
    let deadline = Instant::now() + DEADLINE;
    while process.try_wait().unwrap().is_none() {
        if ask(port, "PING").is_ok_and(|answer| answer == "+PONG")
            && ask(port, "INFO server").is_ok_and(|answer| answer.contains(&own))
        {
            return Some(process);
        }
        assert!(Instant::now() < deadline, "redis-server does not answer in time");
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = BufReader::new(connection);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let Some(length) = line.strip_prefix('$') else {
        return Ok(line.trim_end().to_owned());
    };
    let mut bulk = vec![0; length.trim_end().parse().unwrap()];
    answer.read_exact(&mut bulk)?;
    Ok(String::from_utf8(bulk).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
