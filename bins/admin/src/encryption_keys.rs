//! The named keys that objects are encrypted under.

use carob_http::api::EncryptionKey;
use carob_http::client::Client;

use crate::cli::KmsCommand;
use crate::commands::Out;

pub(crate) async fn run(client: &Client, command: KmsCommand, out: &mut Out) -> anyhow::Result<()> {
    match command {
        KmsCommand::Create { name } => out.one(&client.create_encryption_key(&name).await?, fields)?,
        KmsCommand::Ls => {
            out.table(["NAME", "STATE", "CREATED"], &client.encryption_keys().await?, row)?;
        }
        KmsCommand::Disable { name } => {
            out.one(&client.disable_encryption_key(&name, true).await?, fields)?;
        }
        KmsCommand::Enable { name } => {
            out.one(&client.disable_encryption_key(&name, false).await?, fields)?;
        }
    }
    Ok(())
}

fn row(key: &EncryptionKey) -> [String; 3] {
    [key.name.clone(), state(key).to_owned(), key.created.clone()]
}

fn fields(key: &EncryptionKey) -> Vec<(&'static str, String)> {
    vec![("encryption key", key.name.clone()), ("state", state(key).to_owned())]
}

fn state(key: &EncryptionKey) -> &'static str {
    if key.disabled.is_some() { "disabled" } else { "enabled" }
}
