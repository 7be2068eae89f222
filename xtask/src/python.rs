//! The Python clients: a virtual environment with pinned versions, and running the scripts of `xtask/clients`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo;
use crate::s3::Credentials;

/// boto3 and the AWS CLI share botocore, so their versions go together.
const CLIENTS: &str = include_str!("../clients/requirements.txt");
/// aiobotocore wants an older botocore than that.
const APPS: &str = include_str!("../clients/apps/requirements.txt");
const INSTALL_LIMIT: Duration = Duration::from_mins(10);
/// A client script that takes longer hangs.
const SCRIPT_LIMIT: Duration = Duration::from_mins(30);

/// A virtual environment with the clients in it.
#[derive(Debug)]
pub(crate) struct Python {
    interpreter: PathBuf,
}

/// What a client script is told.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) credentials: &'a Credentials,
    pub(crate) files: u32,
    pub(crate) seed: u64,
    /// More of the environment.
    pub(crate) variables: &'a [(&'static str, PathBuf)],
}

impl Python {
    /// The environment of the clients.
    pub(crate) async fn install() -> Result<Self> {
        Self::install_into("python", CLIENTS).await
    }

    /// The environment of the programs in `clients/apps`.
    pub(crate) async fn install_apps() -> Result<Self> {
        Self::install_into("python-apps", APPS).await
    }

    /// Makes the environment in a directory of `target/xtask`, unless it is there with these versions.
    async fn install_into(name: &str, packages: &str) -> Result<Self> {
        let dir = cargo::scratch()?.join(name);
        let interpreter = dir.join("bin/python");
        let installed = dir.join("installed.txt");
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == packages) {
            return Ok(Self { interpreter });
        }
        println!("installing packages for Python into {}", dir.display());
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir), INSTALL_LIMIT)
            .await
            .context("python3 with its venv module is needed")?;
        let requirements = dir.join("requirements.txt");
        std::fs::write(&requirements, packages)?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(&requirements), INSTALL_LIMIT).await.context("cannot install the packages")?;
        std::fs::rename(requirements, installed)?;
        Ok(Self { interpreter })
    }

    /// The sources of one of the installed packages, as its authors publish them.
    pub(crate) async fn sources(&self, package: &str) -> Result<PathBuf> {
        let pinned =
            CLIENTS.lines().find(|line| line.split_once("==").is_some_and(|(name, _)| name == package));
        let pinned = pinned.with_context(|| format!("{package} is none of the clients"))?;
        let dir = cargo::scratch()?.join("sources");
        let sources = dir.join(pinned.replace("==", "-"));
        if !sources.exists() {
            let mut pip = Command::new(&self.interpreter);
            pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            pip.args(["--no-binary", package, "--dest"]).arg(&dir).arg(pinned);
            run(&mut pip, INSTALL_LIMIT).await.with_context(|| format!("cannot download {pinned}"))?;
            let archive = dir.join(format!("{}.tar.gz", pinned.replace("==", "-")));
            let mut unpack = Command::new("tar");
            unpack.arg("-xzf").arg(&archive).arg("-C").arg(&dir);
            run(&mut unpack, INSTALL_LIMIT).await?;
        }
        Ok(sources)
    }

    /// The command that runs a script of `xtask/clients` that is no client itself.
    pub(crate) fn interpreting(&self, script: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        forget_aws(&mut command);
        command.arg(cargo::root().join("xtask/clients").join(script));
        command
    }

    /// Lets `command` find the installed clients first, and no settings of this machine.
    pub(crate) fn on_path(&self, command: &mut Command) -> Result<()> {
        forget_aws(command);
        command.env("AWS_CONFIG_FILE", "/dev/null");
        let first = self.interpreter.parent().map(Path::to_owned);
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&rest)))?;
        command.env("PATH", path);
        Ok(())
    }

    /// Runs a script that talks to no server to its end.
    pub(crate) async fn run(&self, script: &Path, arguments: &[&Path]) -> Result<()> {
        let mut command = Command::new(&self.interpreter);
        command.arg(script).args(arguments).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        run(&mut command, SCRIPT_LIMIT).await.with_context(|| format!("{} failed", script.display()))
    }

    /// The command that runs `xtask/clients/{script}.py` with `more` arguments and local files in `work`.
    pub(crate) fn command(&self, script: &str, more: &[&str], session: &Session<'_>, work: &Path) -> Command {
        let scripts = cargo::root().join("xtask/clients");
        let mut command = Command::new(&self.interpreter);
        // What scripts share lies there, also for those in directories below.
        command.env("PYTHONPATH", &scripts);
        command.arg(scripts.join(script).with_extension("py")).args(more).arg("--work").arg(work);
        command.args(["--files", &session.files.to_string(), "--seed", &session.seed.to_string()]);
        client_environment(&mut command, session, work);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs such a command to its end; its report goes to the terminal.
    pub(crate) async fn script(
        &self,
        script: &str,
        more: &[&str],
        session: &Session<'_>,
        work: &Path,
    ) -> Result<()> {
        let mut command = self.command(script, more, session, work);
        run(&mut command, SCRIPT_LIMIT).await.with_context(|| format!("{script} failed"))
    }
}

/// No AWS setting of this machine reaches a client.
fn forget_aws(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_PROXY", "127.0.0.1,localhost");
    command.env("LC_ALL", "C.UTF-8").env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
}

/// Clients configure themselves from here and from nothing else on this machine.
fn client_environment(command: &mut Command, session: &Session<'_>, work: &Path) {
    forget_aws(command);
    command.env("AWS_ENDPOINT_URL", session.endpoint);
    command.env("AWS_ACCESS_KEY_ID", &session.credentials.access_key);
    command.env("AWS_SECRET_ACCESS_KEY", &session.credentials.secret_key);
    command.env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_CONFIG_FILE", work.join("no-config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", work.join("no-credentials"));
    command.envs(session.variables.iter().map(|(name, value)| (name, value)));
}

async fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let shown = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    let status = timeout(limit, child.wait())
        .await
        .with_context(|| format!("{shown} did not end within {limit:?}"))??;
    ensure!(status.success(), "{shown} ended with {status}");
    Ok(())
}
