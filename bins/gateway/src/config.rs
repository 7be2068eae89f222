//! What the gateway is told: flags over environment over file over defaults, resolved once.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use carob_block::SweepOptions;
use carob_bucket::{BudgetOptions, CollectOptions};
use carob_http::Limits;
use carob_identity::{Credentials, KeyName, LimitOptions, Rate};
use carob_s3::Domains;
use clap::{Args, Parser, ValueEnum};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::listen::Listen;

const ROOT_ACCESS_KEY: &str = "CAROB_ROOT_ACCESS_KEY";
const ROOT_SECRET_KEY: &str = "CAROB_ROOT_SECRET_KEY";

/// Serves S3 over buckets that are signed Merkle trees.
///
/// The first start makes a data directory with a space key and one access key; to choose the access key, set
/// CAROB_ROOT_ACCESS_KEY and CAROB_ROOT_SECRET_KEY.
#[derive(Debug, Parser)]
#[command(name = "carob-gateway", version, max_term_width = 100)]
pub(crate) struct Flags {
    /// A TOML file with any of the options below, named as they are without the dashes in front
    #[arg(long, value_name = "FILE", env = "CAROB_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// One set of options; the command line, the environment and the file each give some of them.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Options {
    /// Where everything is kept [default: carob-data]
    #[arg(long, value_name = "DIR", env = "CAROB_DATA")]
    data: Option<PathBuf>,
    /// The address to serve S3 on, as 127.0.0.1:9000, localhost:9000, or :9000 for all of the machine's (IPv4); port 0
    /// takes any free one [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR", env = "CAROB_LISTEN")]
    listen: Option<Listen>,
    /// A certificate to speak TLS with: a PEM file, its chain included; read again whenever it changes [default: none]
    #[arg(long, value_name = "FILE", env = "CAROB_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Its private key, another PEM file
    #[arg(long, value_name = "FILE", env = "CAROB_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// The region that clients sign for [default: us-east-1]
    #[arg(long, value_name = "NAME", env = "CAROB_REGION")]
    region: Option<String>,
    /// Domains below which a bucket may be named in the host, as in photos.s3.example.com [default: none]
    #[arg(long, value_name = "DOMAIN,…", env = "CAROB_DOMAINS", value_delimiter = ',')]
    domains: Option<Vec<String>>,
    /// The key that seals stored secrets: a file of 64 hex digits that only its owner may read [default: master.key in
    /// the data directory, made on the first start]
    #[arg(long, value_name = "FILE", env = "CAROB_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,
    /// Encryption keys to make at the start, where they are not there yet, as carob kms create does [default: none]
    #[arg(long, value_name = "NAME,…", env = "CAROB_KMS_KEYS", value_delimiter = ',')]
    kms_keys: Option<Vec<String>>,
    /// How many requests each access key but the root's may make: 100/s, 6000/m, 100/s:500 with a burst of 500, or off
    /// [default: 100/s]
    #[arg(long, value_name = "RATE", env = "CAROB_RATE_LIMIT")]
    rate_limit: Option<String>,
    /// The same for the root access key [default: off]
    #[arg(long, value_name = "RATE", env = "CAROB_ROOT_RATE_LIMIT")]
    root_rate_limit: Option<String>,
    /// The same for each address, unsigned requests among them but not the root key's; off behind a proxy
    /// [default: 1000/s]
    #[arg(long, value_name = "RATE", env = "CAROB_SOURCE_RATE_LIMIT")]
    source_rate_limit: Option<String>,
    /// Whether requests may be signed with AWS Signature Version 2, too, which older clients and some presigned URLs use
    /// [default: on]
    #[arg(long, value_enum, env = "CAROB_SIGNATURE_V2")]
    signature_v2: Option<Switch>,
    /// The socket for the carob command [default: admin.sock in the data directory]
    #[arg(long, value_name = "PATH", env = "CAROB_ADMIN_SOCKET")]
    admin_socket: Option<PathBuf>,
    /// Where to show metrics, health and readiness, under /_carob/: an address of the loopback interface [default:
    /// nowhere]
    #[arg(long, value_name = "ADDR", env = "CAROB_METRICS")]
    metrics: Option<SocketAddr>,
    /// What to log: error, warn, info, debug, trace, or directives such as info,carob_s3=debug [default: info
    /// for Carob's own, warn for libraries]
    #[arg(long, value_name = "FILTER", env = "CAROB_LOG")]
    log: Option<String>,
    /// How to log, to standard error [default: text]
    #[arg(long, value_enum, env = "CAROB_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// The most connections at one time [default: 512]
    #[arg(long, value_name = "N", env = "CAROB_MAX_CONNECTIONS")]
    max_connections: Option<u32>,
    /// How long a client may send next to nothing of a request's body; and twice as long, take nothing of an answer
    /// [default: 30]
    #[arg(long, value_name = "SECONDS", env = "CAROB_STALL_SECONDS")]
    stall_seconds: Option<u32>,
    /// How long requests may take to finish when the gateway is told to stop [default: 30]
    #[arg(long, value_name = "SECONDS", env = "CAROB_DRAIN_SECONDS")]
    drain_seconds: Option<u32>,
    /// Memory for bodies on their way in or out, all together; who finds none waits, or is told to slow down
    /// [default: 128]
    #[arg(long, value_name = "MIB", env = "CAROB_MEMORY")]
    memory: Option<u32>,
    /// How large a file of the audit log grows before another is begun; 0 for no audit log [default: 64]
    #[arg(long, value_name = "MIB", env = "CAROB_AUDIT_MIB")]
    audit_mib: Option<u32>,
    /// How long access logs of buckets wait to be put into their target buckets [default: 60]
    #[arg(long, value_name = "SECONDS", env = "CAROB_ACCESS_LOG_SECONDS")]
    access_log_seconds: Option<u32>,
    /// How long a day is for lifecycle rules, in seconds: for tests, which cannot wait for a real one [default: 86400]
    #[arg(long, value_name = "SECONDS", env = "CAROB_LIFECYCLE_DAY_SECONDS")]
    lifecycle_day_seconds: Option<u32>,
    /// How long to wait between collections of garbage, or longer where they take long; 0 for never but on request
    /// [default: 600]
    #[arg(long, value_name = "SECONDS", env = "CAROB_COLLECT_SECONDS")]
    collect_seconds: Option<u64>,
    /// The most that collections copy in a second; 0 for no bound [default: 32]
    #[arg(long, value_name = "MIB", env = "CAROB_COLLECT_MIB")]
    collect_mib: Option<u32>,
    /// How many days an upload in parts may take before it is swept; 0 for any number [default: 7]
    #[arg(long, value_name = "DAYS", env = "CAROB_UPLOAD_DAYS")]
    upload_days: Option<u32>,
    /// Memory for decoded index nodes [default: 32]
    #[arg(long, value_name = "MIB", env = "CAROB_CACHE_MIB")]
    cache_mib: Option<u32>,
}

/// Something that can be turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Switch {
    On,
    Off,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Everything the gateway needs to know, valid.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Certificate and private key; `None` for HTTP without TLS.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) region: String,
    pub(crate) domains: Domains,
    pub(crate) kms_keys: Vec<KeyName>,
    pub(crate) signature_v2: bool,
    pub(crate) admin_socket: PathBuf,
    /// `None` for the one in the data directory.
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) rates: LimitOptions,
    pub(crate) log: EnvFilter,
    pub(crate) log_format: LogFormat,
    pub(crate) limits: Limits,
    /// `None` for none.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) bodies: BudgetOptions,
    pub(crate) cache_bytes: u64,
    pub(crate) access_log_period: Duration,
    pub(crate) lifecycle_day: Duration,
    /// `None` for no audit log.
    pub(crate) audit_bytes: Option<u64>,
    /// `None` for never.
    pub(crate) collect_every: Option<Duration>,
    pub(crate) collect: CollectOptions,
    /// The root access key that the environment chooses.
    pub(crate) root: Option<Credentials>,
}

impl Settings {
    /// `environment` looks a variable up; clap has looked the others up by itself.
    pub(crate) fn resolve(
        flags: Flags,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Self> {
        let options = match &flags.config {
            Some(path) => flags.options.over(read(path)?),
            None => flags.options,
        };
        let defaults = Limits::default();
        let data = options.data.unwrap_or_else(|| "carob-data".into());
        let connections = options.max_connections.map_or(defaults.connections, |n| n as usize);
        if connections == 0 {
            bail!("max-connections must be at least 1");
        }
        let stall = options.stall_seconds.map_or(defaults.body_timeout, seconds);
        let drain_timeout = options.drain_seconds.map_or(defaults.drain_timeout, seconds);
        let filter = options.log.unwrap_or_else(|| "warn,carob=info".into());
        Ok(Self {
            listen: options
                .listen
                .map_or_else(|| (Ipv4Addr::LOCALHOST, 9000).into(), |Listen(address)| address),
            tls: tls(options.tls_cert, options.tls_key)?,
            region: region(options.region.unwrap_or_else(|| "us-east-1".into()))?,
            domains: Domains::new(options.domains.unwrap_or_default())?,
            kms_keys: options.kms_keys.iter().flatten().map(|name| name.parse()).collect::<Result<_, _>>()?,
            signature_v2: options.signature_v2 != Some(Switch::Off),
            admin_socket: options.admin_socket.unwrap_or_else(|| data.join("admin.sock")),
            master_key_file: options.master_key_file,
            rates: LimitOptions {
                key: rate("rate-limit", options.rate_limit.as_deref().unwrap_or("100/s"))?,
                root: rate("root-rate-limit", options.root_rate_limit.as_deref().unwrap_or("off"))?,
                source: rate("source-rate-limit", options.source_rate_limit.as_deref().unwrap_or("1000/s"))?,
            },
            log: log(&filter)?,
            log_format: options.log_format.unwrap_or(LogFormat::Text),
            limits: Limits {
                connections,
                drain_timeout,
                body_timeout: stall,
                // The buffers on the way to a slow client empty in large steps.
                write_timeout: stall.saturating_mul(2),
                ..defaults
            },
            metrics: metrics(options.metrics)?,
            bodies: bodies(options.memory)?,
            cache_bytes: u64::from(options.cache_mib.unwrap_or(32)) << 20,
            access_log_period: positive("access-log-seconds", options.access_log_seconds.unwrap_or(60))?,
            lifecycle_day: positive(
                "lifecycle-day-seconds",
                options.lifecycle_day_seconds.unwrap_or(24 * 60 * 60),
            )?,
            audit_bytes: Some(u64::from(options.audit_mib.unwrap_or(64)) << 20).filter(|bytes| *bytes > 0),
            collect_every: match options.collect_seconds {
                Some(0) => None,
                seconds => Some(Duration::from_secs(seconds.unwrap_or(600))),
            },
            collect: collect(options.collect_mib, options.upload_days),
            root: root(environment)?,
            data,
        })
    }
}

impl Options {
    fn over(self, file: Self) -> Self {
        Self {
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            region: self.region.or(file.region),
            domains: self.domains.or(file.domains),
            kms_keys: self.kms_keys.or(file.kms_keys),
            signature_v2: self.signature_v2.or(file.signature_v2),
            admin_socket: self.admin_socket.or(file.admin_socket),
            master_key_file: self.master_key_file.or(file.master_key_file),
            rate_limit: self.rate_limit.or(file.rate_limit),
            root_rate_limit: self.root_rate_limit.or(file.root_rate_limit),
            source_rate_limit: self.source_rate_limit.or(file.source_rate_limit),
            metrics: self.metrics.or(file.metrics),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
            max_connections: self.max_connections.or(file.max_connections),
            stall_seconds: self.stall_seconds.or(file.stall_seconds),
            drain_seconds: self.drain_seconds.or(file.drain_seconds),
            memory: self.memory.or(file.memory),
            audit_mib: self.audit_mib.or(file.audit_mib),
            access_log_seconds: self.access_log_seconds.or(file.access_log_seconds),
            lifecycle_day_seconds: self.lifecycle_day_seconds.or(file.lifecycle_day_seconds),
            cache_mib: self.cache_mib.or(file.cache_mib),
            collect_seconds: self.collect_seconds.or(file.collect_seconds),
            collect_mib: self.collect_mib.or(file.collect_mib),
            upload_days: self.upload_days.or(file.upload_days),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Options> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    toml::from_str(&text).map_err(|error| {
        // The parser's own display draws a picture of several lines.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        anyhow!("{shown} line {}: {}", before.matches('\n').count() + 1, error.message())
    })
}

/// Whoever reaches it is not asked who they are.
fn metrics(address: Option<SocketAddr>) -> anyhow::Result<Option<SocketAddr>> {
    match address {
        Some(address) if !address.ip().is_loopback() => {
            bail!("metrics is {address}, which is not an address of the loopback interface")
        }
        address => Ok(address),
    }
}

fn bodies(mib: Option<u32>) -> anyhow::Result<BudgetOptions> {
    let defaults = BudgetOptions::default();
    match mib {
        None => Ok(defaults),
        Some(0) => bail!("memory must be at least 1"),
        Some(mib) => Ok(BudgetOptions { bytes: (mib as usize) << 20, ..defaults }),
    }
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
    match (certificate, key) {
        (Some(_), None) => bail!("tls-cert is set without tls-key"),
        (None, Some(_)) => bail!("tls-key is set without tls-cert"),
        (certificate, key) => Ok(certificate.zip(key)),
    }
}

/// No sum of times is near their end then.
fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn positive(option: &str, seconds: u32) -> anyhow::Result<Duration> {
    match seconds {
        0 => bail!("{option} must be at least 1"),
        seconds => Ok(Duration::from_secs(seconds.into())),
    }
}

/// How much of the store may stay dead: a compromise, measured by `cargo xtask bench space`, between what is copied and how
/// often writers have to wait. Where everything is overwritten at random, each byte that is given back then costs
/// copying about one.
const DEAD_PERCENT: u8 = 17;

fn collect(mib: Option<u32>, upload_days: Option<u32>) -> CollectOptions {
    let bytes = u64::from(mib.unwrap_or(32)) << 20;
    let days = u64::from(upload_days.unwrap_or(7));
    CollectOptions {
        dry_run: false,
        sweep: SweepOptions { dead_percent: DEAD_PERCENT, bytes_per_second: (bytes > 0).then_some(bytes) },
        upload_age: (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60)),
    }
}

/// s3s is never heard: what it logs of a request holds signatures.
fn log(filter: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("{filter:?} is not a log filter"))?;
    Ok(filter.add_directive("s3s=off".parse()?))
}

fn rate(option: &str, text: &str) -> anyhow::Result<Option<Rate>> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).with_context(|| format!("{option} is {text:?}"))
}

fn region(name: String) -> anyhow::Result<String> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(fits) {
        bail!("{name:?} is not a region: it takes 1 to 32 of a-z, 0-9 and -");
    }
    Ok(name)
}

fn root(environment: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Option<Credentials>> {
    let text = |name| match environment(name).map(OsString::into_string) {
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => bail!("{name} is not text"),
        None => Ok(None),
    };
    match (text(ROOT_ACCESS_KEY)?, text(ROOT_SECRET_KEY)?) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => {
            let credentials = Credentials::parse(&id, &secret);
            Ok(Some(credentials.with_context(|| format!("{ROOT_ACCESS_KEY} and {ROOT_SECRET_KEY}"))?))
        }
        (Some(_), None) => bail!("{ROOT_ACCESS_KEY} is set without {ROOT_SECRET_KEY}"),
        (None, Some(_)) => bail!("{ROOT_SECRET_KEY} is set without {ROOT_ACCESS_KEY}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::io::Write;

    /// What a file, flags and the variables that clap does not read make.
    fn resolve(config: &str, args: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(config.as_bytes())?;
        let path = file.path().to_str().unwrap();
        let args = ["carob-gateway", "--config", path].into_iter().chain(args.iter().copied());
        let find = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Settings::resolve(Flags::try_parse_from(args)?, find)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn flags_win_over_the_file_and_defaults_fill_the_rest() {
        let file = "listen = '127.0.0.1:1'\nregion = 'from-file'\nlog-format = 'json'\n";
        let settings = resolve(file, &["--listen", "[::1]:2", "--data", "d"], &[]).unwrap();
        assert_eq!(settings.listen, "[::1]:2".parse().unwrap());
        assert_eq!((settings.region.as_str(), settings.log_format), ("from-file", LogFormat::Json));
        let listen = resolve("listen = ':9000'", &[], &[]).unwrap().listen;
        assert_eq!(listen, "0.0.0.0:9000".parse().unwrap());
        assert_eq!(settings.admin_socket, Path::new("d/admin.sock"));
        assert_eq!(settings.limits.connections, Limits::default().connections);
    }

    #[test]
    fn encryption_keys_are_named_in_a_list() {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<KeyName>>();
        assert_eq!(resolve("kms-keys = ['one']", &[], &[]).unwrap().kms_keys, names(&["one"]));
        assert_eq!(resolve("", &["--kms-keys", "one,two"], &[]).unwrap().kms_keys, names(&["one", "two"]));
        assert!(resolve("kms-keys = ['a b']", &[], &[]).is_err());
    }

    #[test]
    fn domains_are_a_list_in_the_file_and_joined_by_commas_elsewhere() {
        let domains =
            |names: &[&str]| Domains::new(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
        let file = "domains = ['s3.example.com', 'localhost']";
        assert_eq!(resolve(file, &[], &[]).unwrap().domains, domains(&["s3.example.com", "localhost"]));
        let flags = ["--domains", "a.example,B.example"];
        assert_eq!(resolve(file, &flags, &[]).unwrap().domains, domains(&["a.example", "b.example"]));
        assert_eq!(resolve("", &[], &[]).unwrap().domains, Domains::default());
    }

    #[test]
    fn rates_are_limited_unless_turned_off() {
        let rates = |file: &str, args: &[&str]| resolve(file, args, &[]).unwrap().rates;
        let limited = LimitOptions { key: "100/s".parse().ok(), root: None, source: "1000/s".parse().ok() };
        assert_eq!(rates("", &[]), limited);
        let off = rates("rate-limit = 'off'\nroot-rate-limit = '5/m'", &["--source-rate-limit", "off"]);
        assert_eq!(off, LimitOptions { key: None, root: "5/m".parse().ok(), source: None });
    }

    #[test]
    fn signatures_of_version_2_are_taken_unless_turned_off() {
        let taken = |file: &str, args: &[&str]| resolve(file, args, &[]).unwrap().signature_v2;
        assert!(taken("", &[]) && taken("signature-v2 = 'off'", &["--signature-v2", "on"]));
        assert!(!taken("signature-v2 = 'off'", &[]) && !taken("", &["--signature-v2", "off"]));
    }

    #[test]
    fn mistakes_are_told_in_one_line() {
        let cases: [(&str, &[&str], &str); 16] = [
            ("\nlisten = 'nowhere'", &[], "line 2: \"nowhere\" is not an address with a port"),
            ("data = 'x'\ndate = 'y'", &[], "line 2: unknown field `date`"),
            ("data = ", &[], "line 1: "),
            ("log-format = 'xml'", &[], "line 1: unknown variant `xml`"),
            ("", &["--region", "Up"], "\"Up\" is not a region"),
            (
                "domains = ['http://s3.example.com']",
                &[],
                "\"http://s3.example.com\" is not the name of a domain",
            ),
            ("", &["--domains", "a.example,:9000"], "\":9000\" is not the name of a domain"),
            ("", &["--log", "carob=loud"], "\"carob=loud\" is not a log filter"),
            ("rate-limit = '100'", &[], "rate-limit is \"100\": a rate is a number of requests"),
            ("max-connections = 0", &[], "max-connections must be at least 1"),
            ("memory = 0", &[], "memory must be at least 1"),
            ("tls-key = 'key.pem'", &[], "tls-key is set without tls-cert"),
            ("", &["--access-log-seconds", "0"], "access-log-seconds must be at least 1"),
            ("", &["--lifecycle-day-seconds", "0"], "lifecycle-day-seconds must be at least 1"),
            (
                "metrics = '0.0.0.0:9100'",
                &[],
                "metrics is 0.0.0.0:9100, which is not an address of the loopback interface",
            ),
            ("max-connections = -1", &[], "line 1: invalid value: integer `-1`"),
        ];
        for (file, args, message) in cases {
            let line = format!("{:#}", resolve(file, args, &[]).unwrap_err());
            assert!(line.contains(message), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn the_root_key_is_chosen_whole_or_not_at_all() {
        let (id, secret) = ((ROOT_ACCESS_KEY, "somebody"), (ROOT_SECRET_KEY, "long enough?".trim_end()));
        assert!(resolve("", &[], &[]).unwrap().root.is_none());
        let err = |env: &[(&str, &str)]| format!("{:#}", resolve("", &[], env).unwrap_err());
        assert_eq!(err(&[id]), "CAROB_ROOT_ACCESS_KEY is set without CAROB_ROOT_SECRET_KEY");
        assert_eq!(err(&[secret]), "CAROB_ROOT_SECRET_KEY is set without CAROB_ROOT_ACCESS_KEY");
        assert!(err(&[id, secret]).contains("no spaces"));
        assert!(err(&[id, (ROOT_SECRET_KEY, "short")]).contains("at least 8 characters"));
        assert!(err(&[(ROOT_ACCESS_KEY, ""), secret]).contains("3 to 128 characters"));
        let root = resolve("", &[], &[id, (ROOT_SECRET_KEY, "long-enough")]).unwrap().root.unwrap();
        assert_eq!((root.id.as_str(), root.secret.expose()), ("somebody", "long-enough"));
    }
}
