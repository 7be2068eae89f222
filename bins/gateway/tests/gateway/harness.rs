//! Runs the real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far beyond what a start or a stop takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The gateway on a free port with nothing of the caller's environment.
pub(crate) fn command(data: &Path, args: &[&str]) -> Command {
    command_at("127.0.0.1:0", data, args)
}

/// The same at an address of choice.
pub(crate) fn command_at(address: &str, data: &Path, args: &[&str]) -> Command {
    let mut command = binary();
    command.args(["--listen", address, "--data"]).arg(data).args(args);
    piped(command)
}

/// The gateway where the arguments say.
pub(crate) fn bare(data: &Path, args: &[&str]) -> Command {
    let mut command = binary();
    command.arg("--data").arg(data).args(args);
    piped(command)
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carob-gateway"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAROB_")) {
        command.env_remove(name);
    }
    command
}

/// A gateway that serves. Killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Reads standard error all the time: a full pipe would hold the gateway up.
    log: Option<JoinHandle<String>>,
    /// Standard output from the first line to the command to type next.
    pub(crate) banner: String,
}

impl Gateway {
    pub(crate) fn start(data: &Path) -> Self {
        Self::spawn(&mut command(data, &[]))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        let mut banner = String::new();
        while !banner.contains("s3 mb s3://my-bucket\n") {
            if stdout.read_line(&mut banner).unwrap() == 0 {
                exit(&mut child);
                panic!("the gateway did not start: {banner}{}", log.join().unwrap());
            }
        }
        Self { child, stdout, log: Some(log), banner }
    }

    /// What the banner says after `name`.
    pub(crate) fn told(&self, name: &str) -> &str {
        let line = self.banner.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.banner)).trim()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.told("endpoint").strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Head and body of the answer to an unsigned GET.
    pub(crate) fn get(&self, target: &str) -> (String, String) {
        self.get_from("localhost", target)
    }

    /// The same under another host.
    pub(crate) fn get_from(&self, host: &str, target: &str) -> (String, String) {
        ask(self.address(), host, target)
    }

    /// What the listener for metrics shows.
    pub(crate) fn metrics(&self) -> String {
        self.monitored("/_carob/metrics").1
    }

    pub(crate) fn ready(&self) -> bool {
        self.monitored("/_carob/ready").0.starts_with("http/1.1 200")
    }

    fn monitored(&self, target: &str) -> (String, String) {
        let address = self.told("metrics").strip_prefix("http://").unwrap();
        ask(address.strip_suffix("/_carob/metrics").unwrap().parse().unwrap(), "localhost", target)
    }

    pub(crate) fn healthy(&self) -> bool {
        self.get("/_carob/health").0.starts_with("http/1.1 200")
    }

    /// Sends a signal and gives the exit status, the rest of standard output, and standard error.
    pub(crate) fn stop(self, signal: Signal) -> (ExitStatus, String, String) {
        self.signal(signal);
        self.ended()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended; gives the same as [`Gateway::stop`].
    pub(crate) fn ended(mut self) -> (ExitStatus, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let status = exit(&mut self.child);
        (status, rest, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A test failed, or it stopped already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn ask(address: SocketAddr, host: &str, target: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// Waits for something that comes soon.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a gateway that must not start; gives the one line it said.
pub(crate) fn refusal(command: &mut Command) -> String {
    refused(command).1
}

/// The same with the exit status.
pub(crate) fn refused(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (status, stderr) = wait(child);
    assert!(!status.success(), "it started");
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(text, "", "nothing but the refusal is said");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr.strip_prefix("carob-gateway: ").unwrap_or_else(|| panic!("{stderr}"));
    (status.code(), line.trim_end().to_owned())
}

fn wait(mut child: Child) -> (ExitStatus, String) {
    let status = exit(&mut child);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (status, stderr)
}

fn exit(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            _ = child.kill();
            panic!("the gateway did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
