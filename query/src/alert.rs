//! Pages: when an incident opens and when it resolves, the teams are told by webhook.
//!
//! `outbox` keeps what is still to be delivered on disk, `courier` delivers it, `webhook` signs and sends one page.

mod courier;
mod outbox;
mod webhook;

pub(crate) use courier::Courier;
pub(crate) use outbox::Outbox;

use crate::config::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most receivers of pages.
const WEBHOOKS_MAX: usize = 64;

/// Section `[query.alert]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who is paged, each with `url` and `secret`. At most 64. Default: nobody.
    pub webhooks: Vec<Webhook>,
}

/// A receiver of pages.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `http://` or `https://` URL that pages are posted to.
    pub url: String,
    /// Key of the signature; the receiver knows it too.
    #[serde(skip_serializing)]
    pub secret: String,
}

impl Webhook {
    /// A receiver of pages.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
        }
    }
}

impl Webhook {
    /// The receiver for logs: the rest of a URL may be a secret too.
    pub(crate) fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.url).ok();
        url.as_ref()
            .and_then(reqwest::Url::host_str)
            .unwrap_or_default()
            .to_owned()
    }
}

impl fmt::Debug for Webhook {
    /// The secret is left out, and what may be one in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let key = "alert.webhooks";
        if self.webhooks.len() > WEBHOOKS_MAX {
            let problem = format!("must be at most {WEBHOOKS_MAX}, are {}", self.webhooks.len());
            return Err(Invalid { key, problem });
        }
        for (number, webhook) in self.webhooks.iter().enumerate() {
            if self.webhooks[..number].iter().any(|other| other.url == webhook.url) {
                return Err(Invalid {
                    key,
                    problem: format!("{} must be named only once", webhook.url),
                });
            }
            let valid = reqwest::Url::parse(&webhook.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !valid {
                return Err(Invalid {
                    key,
                    problem: format!("{:?} must be a http:// or https:// URL", webhook.url),
                });
            }
            if webhook.secret.is_empty() {
                return Err(Invalid {
                    key,
                    problem: format!("{} needs a secret, which signs the pages", webhook.url),
                });
            }
        }
        Ok(())
    }
}
