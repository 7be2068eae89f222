//! Accounts and access keys.

use carob_http::api::{Account, CreateAccount, CreateKey, Key, KeyState, NewAccount, NewKey, Scope};
use carob_http::client::Client;

use crate::cli::{AccountCommand, KeyCommand, Lifetime};
use crate::commands::Out;

pub(crate) async fn account(client: &Client, command: AccountCommand, out: &mut Out) -> anyhow::Result<()> {
    match command {
        AccountCommand::Create { name, access_key, secret_key } => {
            let account = CreateAccount { name, access_key, secret_key };
            out.one(&client.create_account(&account).await?, new_account)?;
        }
        AccountCommand::Ls => {
            let columns = ["NAME", "BUCKETS", "NUMBER", "CREATED", "CANONICAL ID"];
            out.table(columns, &client.accounts().await?, account_row)?;
        }
        AccountCommand::Rm { name } => {
            out.one(&client.remove_account(&name).await?, |account| vec![("removed", account.name.clone())])?;
        }
    }
    Ok(())
}

pub(crate) async fn key(client: &Client, command: KeyCommand, out: &mut Out) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { account, bucket, prefix, read, write, expires } => {
            let both = read == write;
            let scope = Scope { buckets: bucket, prefix, read: read || both, write: write || both };
            let expires_in_seconds = expires.map(|Lifetime(seconds)| seconds);
            let key = client.create_key(&CreateKey { account, scope, expires_in_seconds }).await?;
            out.one(&key, new_key)?;
        }
        KeyCommand::Ls { account } => {
            let columns = ["ACCESS KEY", "ACCOUNT", "STATE", "CREATED", "EXPIRES", "SCOPE"];
            out.table(columns, &client.keys(account.as_deref()).await?, key_row)?;
        }
        KeyCommand::Revoke { key } => out.one(&client.revoke_key(&key).await?, key_fields)?,
    }
    Ok(())
}

fn account_row(account: &Account) -> [String; 5] {
    let Account { name, id: _, canonical_id, number, created, buckets } = account.clone();
    [name, buckets.to_string(), number, created.unwrap_or_else(|| "-".to_owned()), canonical_id]
}

fn new_account(made: &NewAccount) -> Vec<(&'static str, String)> {
    let Account { name, id, canonical_id, number, .. } = made.account.clone();
    vec![
        ("account", name),
        ("number", number),
        ("canonical id", canonical_id),
        ("did", id),
        ("access key", made.key.key.access_key.clone()),
        ("secret key", made.key.secret_key.clone()),
    ]
}

fn new_key(made: &NewKey) -> Vec<(&'static str, String)> {
    let mut fields = key_fields(&made.key);
    fields.push(("secret key", made.secret_key.clone()));
    fields
}

fn key_fields(key: &Key) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("access key", key.access_key.clone()),
        ("account", key.account.clone()),
        ("state", state(key.state).to_owned()),
        ("scope", scope(&key.scope)),
    ];
    fields.extend(key.expires.iter().map(|time| ("expires", time.clone())));
    fields
}

fn key_row(key: &Key) -> [String; 6] {
    let expires = key.expires.clone().unwrap_or_else(|| "never".to_owned());
    let state = state(key.state).to_owned();
    [key.access_key.clone(), key.account.clone(), state, key.created.clone(), expires, scope(&key.scope)]
}

const fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}

/// In words: `everything`, `read photos/cats/*`.
fn scope(scope: &Scope) -> String {
    let Scope { buckets, prefix, read, write } = scope;
    let what = match (read, write) {
        (true, true) if buckets.is_empty() && prefix.is_empty() => return "everything".to_owned(),
        (true, true) => "read and write",
        (true, false) => "read",
        (false, _) => "write",
    };
    let places: Vec<String> = match buckets.is_empty() {
        true => vec![format!("*/{prefix}*")],
        false => buckets.iter().map(|bucket| format!("{bucket}/{prefix}*")).collect(),
    };
    format!("{what} {}", places.join(" "))
}
