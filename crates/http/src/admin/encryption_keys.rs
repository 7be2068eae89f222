//! The admin API's encryption keys.

use carob_identity::{Action, EncryptionKey, KeyName, Resource};
use http::{Response, StatusCode};

use super::State;
use super::accounts::read;
use super::answer::{Refusal, json};
use super::query::Query;
use crate::api::rfc3339;
use crate::{Body, api};

impl State {
    pub(super) async fn encryption_keys(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::READ_ACCOUNTS, Resource::Space).await?;
        let keys = self.options.system.table().encryption_keys();
        Ok(json(StatusCode::OK, &keys.iter().map(shown).collect::<Vec<_>>()))
    }

    pub(super) async fn create_encryption_key(&self, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let api::NamesEncryptionKey { name } = read(body).await?;
        self.told.about(&name);
        let name: KeyName = name.parse()?;
        let key = self.options.system.create_encryption_key(&name).await?;
        tracing::info!(key = %key.name, "encryption key created");
        Ok(json(StatusCode::OK, &shown(&key)))
    }

    pub(super) async fn disable_encryption_key(
        &self,
        body: Body,
        disabled: bool,
    ) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_ACCOUNTS, Resource::Space).await?;
        let api::NamesEncryptionKey { name } = read(body).await?;
        self.told.about(&name);
        let name: KeyName = name.parse()?;
        let key = self.options.system.disable_encryption_key(&name, disabled).await?;
        tracing::info!(key = %key.name, disabled, "encryption key changed");
        Ok(json(StatusCode::OK, &shown(&key)))
    }
}

fn shown(key: &EncryptionKey) -> api::EncryptionKey {
    api::EncryptionKey {
        name: key.name.to_string(),
        created: rfc3339(key.created.millis()),
        disabled: key.disabled.map(|time| rfc3339(time.millis())),
    }
}
