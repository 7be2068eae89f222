//! The admin API's accounts and access keys.

use carob_bucket::{NewKey, SystemError};
use carob_identity::{
    Account, AccountNumber, Action, Credentials, Grant, IdentityError, Resource, Scope, Timestamp,
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;

use super::State;
use super::answer::{Refusal, json};
use super::query::Query;
use crate::api::rfc3339;
use crate::{Body, api};

/// Far above a hundred buckets and the longest prefix.
const MAX_BODY: usize = 64 * 1024;

impl State {
    pub(super) async fn accounts(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::READ_ACCOUNTS, Resource::Space).await?;
        let buckets = self.options.space.buckets().await?;
        let accounts = self.options.system.table().accounts().into_iter().map(|account| {
            let owned = buckets.iter().filter(|bucket| bucket.owner == account.id).count();
            shown_account(&account, owned)
        });
        Ok(json(StatusCode::OK, &accounts.collect::<Vec<_>>()))
    }

    pub(super) async fn create_account(&self, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let api::CreateAccount { name, access_key, secret_key } = read(body).await?;
        self.told.about(&name);
        let chosen = match (access_key, secret_key) {
            (None, None) => None,
            (Some(id), Some(secret)) => Some(Credentials::parse(&id, &secret)?),
            _ => return Err(Refusal::bad_request("an access key and its secret key are chosen together")),
        };
        let (account, key) = self.options.system.create_account(&name, chosen).await?;
        tracing::info!(account = %account.name, id = %account.id, key = %key.grant.key, "account created");
        let key = self.shown_new(key);
        Ok(json(StatusCode::OK, &api::NewAccount { account: shown_account(&account, 0), key }))
    }

    pub(super) async fn remove_account(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [name] = Query::parse(query, ["name"])?.into_values();
        let name = name.ok_or_else(|| Refusal::bad_request("name is missing"))?;
        self.told.about(&name);
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let account = self.options.system.remove_account(&name).await?;
        tracing::info!(account = %account.name, id = %account.id, "account removed");
        Ok(json(StatusCode::OK, &shown_account(&account, 0)))
    }

    pub(super) async fn keys(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [account] = Query::parse(query, ["account"])?.into_values();
        self.allow(Action::READ_ACCOUNTS, Resource::Space).await?;
        let table = self.options.system.table();
        let account = account.map(|name| table.account(&name)).transpose()?;
        let grants = table.grants(account.as_ref().map(|account| &account.id));
        let keys: Vec<_> = grants.iter().map(|grant| self.shown_key(grant)).collect();
        Ok(json(StatusCode::OK, &keys))
    }

    pub(super) async fn create_key(&self, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let api::CreateKey { account, scope, expires_in_seconds } = read(body).await?;
        let api::Scope { buckets, prefix, read, write } = scope;
        let now = self.options.clock.now().millis();
        let expires = expires_in_seconds.map(|s| Timestamp(now.saturating_add(s.saturating_mul(1000))));
        let scope = Scope { buckets, prefix, read, write };
        self.told.about(&account);
        let key = self.options.system.create_key(&account, scope, expires, None).await?;
        tracing::info!(%account, key = %key.grant.key, "access key created");
        Ok(json(StatusCode::OK, &self.shown_new(key)))
    }

    pub(super) async fn revoke_key(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [id] = Query::parse(query, ["id"])?.into_values();
        let id = id.ok_or_else(|| Refusal::bad_request("id is missing"))?;
        self.told.about(&id);
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let grant = self.options.system.revoke_key(id.parse()?).await?;
        tracing::info!(key = %grant.key, "access key revoked");
        Ok(json(StatusCode::OK, &self.shown_key(&grant)))
    }

    fn shown_new(&self, NewKey { grant, credentials }: NewKey) -> api::NewKey {
        api::NewKey { key: self.shown_key(&grant), secret_key: credentials.secret.expose().to_owned() }
    }

    fn shown_key(&self, grant: &Grant) -> api::Key {
        let now = self.options.clock.now();
        let names = self.options.system.table().accounts();
        let account = names.into_iter().find(|account| account.id == grant.account);
        let Scope { buckets, prefix, read, write } = grant.scope.clone();
        let state = match grant {
            Grant { revoked: Some(_), .. } => api::KeyState::Revoked,
            grant if grant.is_active(now) => api::KeyState::Active,
            _ => api::KeyState::Expired,
        };
        api::Key {
            access_key: grant.key.to_string(),
            account: account.map(|account| account.name.to_string()).unwrap_or_default(),
            state,
            scope: api::Scope { buckets, prefix, read, write },
            created: rfc3339(grant.created.millis()),
            expires: grant.expires.map(|time| rfc3339(time.millis())),
            revoked: grant.revoked.map(|time| rfc3339(time.millis())),
        }
    }
}

fn shown_account(account: &Account, buckets: usize) -> api::Account {
    api::Account {
        name: account.name.to_string(),
        id: account.id.to_string(),
        canonical_id: account.id.canonical_id(),
        number: AccountNumber::of(&account.id).to_string(),
        created: account.created.map(|time| rfc3339(time.millis())),
        buckets: buckets as u64,
    }
}

pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    read_up_to(body, MAX_BODY).await
}

pub(super) async fn read_up_to<T: DeserializeOwned>(body: Body, bytes: usize) -> Result<T, Refusal> {
    let body = Limited::new(body, bytes).collect().await;
    let body = body.map_err(|_| Refusal::bad_request("the body is too long or broke off"))?.to_bytes();
    // The parser's own words may repeat what stands in the body.
    serde_json::from_slice(&body).map_err(|_| Refusal::bad_request("the body is not understood"))
}

impl From<SystemError> for Refusal {
    fn from(error: SystemError) -> Self {
        let message = error.to_string();
        match error {
            SystemError::Identity(error) => error.into(),
            SystemError::Store(error) => error.into(),
            SystemError::OwnsBuckets { .. } => Self::new(StatusCode::CONFLICT, message),
            SystemError::WrongMasterKey => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message),
        }
    }
}

/// The status that an error about identities has.
pub(super) fn status(error: &IdentityError) -> StatusCode {
    match error {
        IdentityError::InvalidAccount(_)
        | IdentityError::InvalidScope(_)
        | IdentityError::InvalidKeyName(_)
        | IdentityError::InvalidCredentials(_) => StatusCode::BAD_REQUEST,
        IdentityError::AccountExists(_)
        | IdentityError::AccessKeyExists(_)
        | IdentityError::EncryptionKeyExists(_) => StatusCode::CONFLICT,
        IdentityError::NoSuchAccount(_)
        | IdentityError::NoSuchAccessKey(_)
        | IdentityError::NoSuchEncryptionKey(_) => StatusCode::NOT_FOUND,
        IdentityError::Unsealable => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
