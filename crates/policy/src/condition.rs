//! Conditions as they are written (IAM user guide, "IAM JSON policy elements: Condition operators").

use std::net::IpAddr;

use data_encoding::BASE64;

use crate::context::normal;
use crate::date;
use crate::error::Malformed;
use crate::json::Json;
use crate::pattern::Pattern;

/// One key under one operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// How the values of a key that has several count.
    pub(crate) over: Over,
    /// Whether a request without the key satisfies it.
    pub(crate) if_exists: bool,
    /// Whether what is said must not be so.
    pub(crate) negated: bool,
    /// The key, as it is compared.
    pub(crate) key: String,
    pub(crate) test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Single,
    All,
    Any,
}

/// What a value is compared with; one that fits is enough.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Equal(Vec<Pattern>),
    EqualIgnoringCase(Vec<Pattern>),
    Like(Vec<Pattern>),
    Arn(Vec<Pattern>),
    Number(Order, Vec<f64>),
    Date(Order, Vec<i64>),
    Bool(Vec<bool>),
    Binary(Vec<Vec<u8>>),
    Ip(Vec<Cidr>),
    /// Whether the key is absent.
    Null(Vec<bool>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(crate) fn holds<T: PartialOrd>(self, value: &T, than: &T) -> bool {
        match self {
            Self::Equal => value == than,
            Self::Less => value < than,
            Self::LessOrEqual => value <= than,
            Self::Greater => value > than,
            Self::GreaterOrEqual => value >= than,
        }
    }
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let first = |bits: u128, width: u8| {
            let shift = u32::from(width.saturating_sub(self.bits));
            bits.checked_shr(shift).unwrap_or(0)
        };
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                first(u32::from(range).into(), 32) == first(u32::from(address).into(), 32)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                first(range.into(), 128) == first(address.into(), 128)
            }
            _ => false,
        }
    }
}

impl Condition {
    /// Reads `Condition`; `variables` says whether the policy's version knows variables.
    pub(crate) fn parse_all(json: Json, variables: bool) -> Result<Vec<Self>, Malformed> {
        let Json::Object(operators) = json else { return Err(Malformed::new("Invalid policy syntax.")) };
        let mut all = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else { return Err(Malformed::new("Invalid policy syntax.")) };
            for (key, values) in keys {
                if !is_known(&key) {
                    return Err(Malformed::new("Policy has an invalid condition key"));
                }
                let values = values.texts().ok_or_else(|| invalid_value(&operator))?;
                all.push(Self::parse(&operator, &key, &values, variables)?);
            }
        }
        Ok(all)
    }

    fn parse(operator: &str, key: &str, values: &[String], variables: bool) -> Result<Self, Malformed> {
        let (over, name) = match operator.split_once(':') {
            None => (Over::Single, operator),
            Some(("ForAllValues", name)) => (Over::All, name),
            Some(("ForAnyValue", name)) => (Over::Any, name),
            Some(_) => return Err(unknown(operator)),
        };
        let (if_exists, name) = name.strip_suffix("IfExists").map_or((false, name), |name| (true, name));
        let patterns =
            || values.iter().map(|value| Pattern::parse(value, variables)).collect::<Result<Vec<_>, _>>();
        let invalid = || invalid_value(operator);
        let numbers = || {
            read_all(values, |value| value.parse().ok().filter(|n: &f64| n.is_finite())).ok_or_else(invalid)
        };
        let dates = || read_all(values, date::parse).ok_or_else(invalid);
        let bools = || read_all(values, boolean).ok_or_else(invalid);
        let ranges = || read_all(values, Cidr::parse).ok_or_else(invalid);
        let (negated, test) = match name {
            "StringEquals" => (false, Test::Equal(patterns()?)),
            "StringNotEquals" => (true, Test::Equal(patterns()?)),
            "StringEqualsIgnoreCase" => (false, Test::EqualIgnoringCase(patterns()?)),
            "StringNotEqualsIgnoreCase" => (true, Test::EqualIgnoringCase(patterns()?)),
            "StringLike" => (false, Test::Like(patterns()?)),
            "StringNotLike" => (true, Test::Like(patterns()?)),
            "ArnEquals" | "ArnLike" => (false, Test::Arn(patterns()?)),
            "ArnNotEquals" | "ArnNotLike" => (true, Test::Arn(patterns()?)),
            "NumericEquals" => (false, Test::Number(Order::Equal, numbers()?)),
            "NumericNotEquals" => (true, Test::Number(Order::Equal, numbers()?)),
            "NumericLessThan" => (false, Test::Number(Order::Less, numbers()?)),
            "NumericLessThanEquals" => (false, Test::Number(Order::LessOrEqual, numbers()?)),
            "NumericGreaterThan" => (false, Test::Number(Order::Greater, numbers()?)),
            "NumericGreaterThanEquals" => (false, Test::Number(Order::GreaterOrEqual, numbers()?)),
            "DateEquals" => (false, Test::Date(Order::Equal, dates()?)),
            "DateNotEquals" => (true, Test::Date(Order::Equal, dates()?)),
            "DateLessThan" => (false, Test::Date(Order::Less, dates()?)),
            "DateLessThanEquals" => (false, Test::Date(Order::LessOrEqual, dates()?)),
            "DateGreaterThan" => (false, Test::Date(Order::Greater, dates()?)),
            "DateGreaterThanEquals" => (false, Test::Date(Order::GreaterOrEqual, dates()?)),
            "Bool" => (false, Test::Bool(bools()?)),
            "BinaryEquals" => {
                let binary = read_all(values, |value| BASE64.decode(value.as_bytes()).ok());
                (false, Test::Binary(binary.ok_or_else(invalid)?))
            }
            "IpAddress" => (false, Test::Ip(ranges()?)),
            "NotIpAddress" => (true, Test::Ip(ranges()?)),
            "Null" if !if_exists && over == Over::Single => (false, Test::Null(bools()?)),
            _ => return Err(unknown(operator)),
        };
        Ok(Self { over, if_exists, negated, key: normal(key), test })
    }
}

fn read_all<T>(values: &[String], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(|value| read(value)).collect()
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn unknown(operator: &str) -> Malformed {
    Malformed::new(format!("Invalid Condition type : {operator}"))
}

fn invalid_value(operator: &str) -> Malformed {
    Malformed::new(format!("Policy has an invalid value for the condition operator {operator}"))
}

/// Whether AWS has a condition key of this name that a bucket policy may use. A misspelt one would never be met.
fn is_known(key: &str) -> bool {
    let key = normal(key);
    let (name, tag) = key.split_once('/').map_or((key.as_str(), None), |(name, tag)| (name, Some(tag)));
    match tag {
        None => KEYS.contains(&name),
        Some(tag) => TAGGED_KEYS.contains(&name) && !tag.is_empty(),
    }
}

/// Keys that are followed by a slash and a tag's key.
const TAGGED_KEYS: &[&str] = &[
    "aws:principaltag",
    "aws:requesttag",
    "aws:resourcetag",
    "s3:accesspointtag",
    "s3:buckettag",
    "s3:existingobjecttag",
    "s3:requestobjecttag",
];

/// Service Authorization Reference, "Condition keys for Amazon S3"; IAM user guide, "AWS global condition context keys".
const KEYS: &[&str] = &[
    "aws:assumedroot",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:currenttime",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:authtype",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:destinationregion",
    "s3:if-match",
    "s3:if-none-match",
    "s3:inventoryaccessibleoptionalfields",
    "s3:locationconstraint",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
];
