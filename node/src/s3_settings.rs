//! This machine's settings for S3, from the environment variables that other tools use too.

use anyhow::Result;
use spec::{Origin, S3Access, S3Credentials};

use crate::exit::Usage;

/// Reads `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. Without a key and its secret requests are not signed.
///
/// # Errors
/// `Usage` for an endpoint that is none.
pub(crate) fn s3_settings() -> Result<S3Access> {
    of(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<S3Access> {
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let endpoint = endpoint.map(|text| {
        let parsed = text.trim_end_matches('/').parse::<Origin>();
        parsed.map_err(|error| {
            Usage(format!("AWS_ENDPOINT_URL: {error}: set it to https://HOST or http://HOST:PORT"))
        })
    });
    let credentials = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (Some(key), Some(secret)) => {
            Some(S3Credentials::new(&key, &secret, variable("AWS_SESSION_TOKEN").as_deref()))
        }
        _ => None,
    };
    Ok(S3Access {
        endpoint: endpoint.transpose()?,
        region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
        credentials,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<S3Access> {
        of(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables_are_read() {
        assert_eq!(settings(&[]).unwrap(), S3Access::default());
        let own = settings(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "k"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ])
        .unwrap();
        assert_eq!(
            own.endpoint.map(|endpoint| endpoint.to_string()).as_deref(),
            Some("http://127.0.0.1:9000")
        );
        assert_eq!((own.region.as_deref(), own.credentials.is_some()), (Some("eu-west-1"), true));
        assert!(settings(&[("AWS_ACCESS_KEY_ID", "k")]).unwrap().credentials.is_none());
        assert!(
            settings(&[("AWS_ENDPOINT_URL", "nowhere")]).unwrap_err().to_string().contains("https://HOST")
        );
    }
}
