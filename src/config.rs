//! The whole configuration: one section per crate. Defaults, then the file, then the environment, then flags; only this
//! file reads any of them. Unknown keys are errors, because a misspelt limit that is silently ignored is worse.

use crate::cli::ServeArgs;
use crate::telemetry;
use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder that holds everything that is kept.
    pub(crate) data_dir: PathBuf,
    /// Receiving spans.
    pub(crate) collector: epicenter_collector::Config,
    /// Keeping spans.
    pub(crate) storage: epicenter_storage::Config,
    /// Answering queries, watching, paging.
    pub(crate) query: epicenter_query::Config,
    /// What counts as an incident.
    pub(crate) incident: epicenter_incident::Config,
    /// The program's own logs and traces.
    pub(crate) telemetry: telemetry::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./epicenter-data"),
            collector: Default::default(),
            storage: Default::default(),
            query: Default::default(),
            incident: Default::default(),
            telemetry: Default::default(),
        }
    }
}

impl Config {
    /// Reads the file named by the flags, lays flags and environment over it and checks the whole.
    pub(crate) fn load(args: &ServeArgs) -> anyhow::Result<Self> {
        let mut config = match &args.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        if let Some(dir) = &args.data_dir {
            config.data_dir.clone_from(dir);
        }
        if let Some(address) = args.otlp_grpc {
            config.collector.otlp_grpc = address;
        }
        if let Some(address) = args.otlp_http {
            config.collector.otlp_http = address;
        }
        if let Some(address) = args.http {
            config.query.http = address;
        }
        match (&args.webhook_url, &args.webhook_secret) {
            (Some(url), Some(secret)) => {
                config
                    .query
                    .alert
                    .webhooks
                    .push(epicenter_query::alert::Webhook::new(url, secret));
            }
            (Some(_), None) => bail!("--webhook-url needs --webhook-secret, which signs the pages"),
            (None, Some(_)) => bail!("--webhook-secret is of no use without --webhook-url"),
            (None, None) => {}
        }
        config.validate()?;
        Ok(config)
    }

    /// Reads a configuration file, unchecked.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read the configuration {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("the configuration {} is not understood", path.display()))
    }

    fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.data_dir.as_os_str().is_empty(), "data_dir: must name a folder");
        self.collector.validate().context("section [collector]")?;
        self.storage.validate().context("section [storage]")?;
        self.query.validate().context("section [query]")?;
        self.incident.validate().context("section [incident]")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_the_file_format() {
        let config = Config::default();
        config.validate().expect("defaults are valid");
        let text = toml::to_string_pretty(&config).expect("serializes");
        let back: Config = toml::from_str(&text).expect("parses");
        assert_eq!(toml::to_string_pretty(&back).expect("serializes"), text);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = toml::from_str::<Config>("[collector]\nmax_reqest_bytes = 1\n").expect_err("unknown key");
        assert!(error.to_string().contains("max_reqest_bytes"), "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "data_dir = \"/from-file\"\n[query]\nhttp = \"127.0.0.1:1\"\n").expect("write");
        let args = ServeArgs {
            config: Some(path),
            http: Some("127.0.0.1:2".parse().expect("address")),
            ..ServeArgs::default()
        };
        let config = Config::load(&args).expect("loads");
        assert_eq!(config.query.http.port(), 2);
        assert_eq!(config.data_dir, Path::new("/from-file"));
    }

    #[test]
    fn every_key_is_described_in_the_docs() {
        let docs = include_str!("../docs/config.md");
        let table: toml::Table = toml::to_string(&Config::default())
            .expect("serializes")
            .parse()
            .expect("a table");
        let mut missing = Vec::new();
        visit(&table, "", &mut |key| {
            if !docs.contains(&format!("`{key}`")) {
                missing.push(key.to_owned());
            }
        });
        assert!(missing.is_empty(), "docs/config.md does not describe {missing:?}");
    }

    fn visit(table: &toml::Table, prefix: &str, found: &mut impl FnMut(&str)) {
        for (key, value) in table {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(inner) => visit(inner, &path, found),
                _ => found(&path),
            }
        }
    }
}
