//! Objects in a bucket: S3 and what speaks it, Google Cloud Storage, Azure. The door of object_store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt,
    PutPayload, RetryConfig, WriteMultipart,
};
use url::Url;

use super::{CONNECT, Reply, STALL, Source, Wire};
use crate::access::{Access, provide_crypto};
use crate::fault::{Fault, Kind, chain};
use crate::flow::Flow;

/// From this size on an object is put in parts.
const PART: usize = 8 << 20;

/// Parts of one object on their way at once.
const PARTS: usize = 8;

/// How long a part may take.
const PART_TIME: Duration = Duration::from_secs(60);

/// A bucket and what stands before all names in it.
pub(crate) struct Cloud {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    kind: &'static str,
}

impl Cloud {
    pub(crate) fn new(url: &Url, access: &Access) -> Result<Cloud, Fault> {
        provide_crypto();
        let bucket = url.host_str().unwrap_or_default().to_owned();
        if bucket.is_empty() {
            return Err(Fault::refused("no bucket is named"));
        }
        let prefix = Path::from_url_path(url.path())
            .map_err(|error| Fault::refused(format!("the prefix cannot be used: {error}")))?;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(2),
                base: 3.0,
            },
            max_retries: 2,
            retry_timeout: Duration::from_secs(20),
        };
        let setup = |error: Error| Fault::refused(chain(&error));
        let mut client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled()
            .with_read_timeout(PART_TIME)
            .with_user_agent(http::HeaderValue::from_static(concat!(
                "jalon/",
                env!("CARGO_PKG_VERSION")
            )));
        if let Some(pem) = access.roots()? {
            let all = object_store::Certificate::from_pem_bundle(&pem).map_err(setup)?;
            for one in all {
                client = client.with_root_certificate(one);
            }
        }
        if !access.headers.is_empty() {
            client = client.with_default_headers(super::http::headers(&Access {
                token: None,
                ..access.clone()
            })?);
        }
        let (store, kind): (Arc<dyn ObjectStore>, _) = match url.scheme() {
            "s3" => {
                let builder = s3(bucket, access, client)?.with_retry(retry);
                (Arc::new(builder.build().map_err(setup)?), "S3")
            }
            "gs" => {
                let mut builder = GoogleCloudStorageBuilder::new()
                    .with_bucket_name(bucket)
                    .with_client_options(client)
                    .with_retry(retry);
                for (name, value) in &access.variables {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                (
                    Arc::new(builder.build().map_err(setup)?),
                    "Google Cloud Storage",
                )
            }
            _ => {
                let mut builder = MicrosoftAzureBuilder::new()
                    .with_container_name(bucket)
                    .with_client_options(client)
                    .with_retry(retry);
                for (name, value) in &access.variables {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                (Arc::new(builder.build().map_err(setup)?), "Azure")
            }
        };
        Ok(Cloud {
            store,
            prefix,
            kind,
        })
    }

    fn place(&self, name: &str) -> Path {
        name.split('/')
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

/// As the AWS tools do: variables, then the profile of the shared files; then what the machine itself offers.
fn s3(bucket: String, access: &Access, client: ClientOptions) -> Result<AmazonS3Builder, Fault> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
    let mut client = client;
    for (name, value) in &access.variables {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let profile = super::super::profile::read(access);
    let endpoint = access
        .variable("AWS_ENDPOINT_URL_S3")
        .or_else(|| access.variable("AWS_ENDPOINT_URL"))
        .or_else(|| access.variable("AWS_ENDPOINT"))
        .map(str::to_owned)
        .or_else(|| profile.get("endpoint_url"));
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint);
        if endpoint.starts_with("http://") {
            client = client.with_allow_http(true);
        }
    }
    let region = access
        .variable("AWS_REGION")
        .or_else(|| access.variable("AWS_DEFAULT_REGION"))
        .map(str::to_owned)
        .or_else(|| profile.get("region"));
    builder = builder.with_region(region.unwrap_or_else(|| "us-east-1".to_owned()));
    if access.variable("AWS_ACCESS_KEY_ID").is_none() {
        match (
            profile.get("aws_access_key_id"),
            profile.get("aws_secret_access_key"),
        ) {
            (Some(id), Some(secret)) => {
                builder = builder
                    .with_access_key_id(id)
                    .with_secret_access_key(secret);
                if let Some(token) = profile.get("aws_session_token") {
                    builder = builder.with_token(token);
                }
            }
            _ => {
                let offered = [
                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                ];
                let offered = offered.iter().any(|name| access.variable(name).is_some());
                let off = access
                    .variable("AWS_EC2_METADATA_DISABLED")
                    .is_some_and(|it| it.eq_ignore_ascii_case("true"));
                if off && !offered {
                    builder = builder.with_skip_signature(true);
                }
            }
        }
    }
    Ok(builder.with_client_options(client))
}

fn fault(error: &Error) -> Fault {
    let kind = match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Kind::Denied,
        Error::Generic { .. } | Error::JoinError { .. } => Kind::Unavailable,
        _ => Kind::Refused,
    };
    Fault::new(kind, chain(error))
}

#[async_trait]
impl Wire for Cloud {
    async fn get(&self, name: &str, from: u64) -> Result<Option<Reply>, Fault> {
        let options = GetOptions {
            range: (from > 0).then_some(GetRange::Offset(from)),
            ..GetOptions::default()
        };
        let place = self.place(name);
        let asked = self.store.get_opts(&place, options);
        let result = match tokio::time::timeout(STALL * 2, asked).await {
            Err(_) => return Err(Fault::unavailable("no answer in time")),
            Ok(Err(Error::NotFound { .. })) => return Ok(None),
            Ok(Err(error)) => return Err(fault(&error)),
            Ok(Ok(result)) => result,
        };
        let (total, from) = (result.meta.size, result.range.start);
        let stream = result
            .into_stream()
            .map(|piece| piece.map_err(|error| Fault::unavailable(chain(&error))));
        Ok(Some(Reply {
            total: Some(total),
            from,
            stream: stream.boxed(),
        }))
    }

    async fn length(&self, name: &str) -> Result<Option<Option<u64>>, Fault> {
        let place = self.place(name);
        match tokio::time::timeout(STALL * 2, self.store.head(&place)).await {
            Err(_) => Err(Fault::unavailable("no answer in time")),
            Ok(Ok(meta)) => Ok(Some(Some(meta.size))),
            Ok(Err(Error::NotFound { .. })) => Ok(None),
            Ok(Err(error)) => Err(fault(&error)),
        }
    }

    async fn put(&self, name: &str, source: &Source, flow: &Flow) -> Result<(), Fault> {
        let place = self.place(name);
        if let Source::Bytes(bytes) = source
            && bytes.len() < PART
        {
            let put = self
                .store
                .put(&place, PutPayload::from_bytes(bytes.clone()));
            return match tokio::time::timeout(PART_TIME * 2, put).await {
                Err(_) => Err(Fault::unavailable("no answer in time")),
                Ok(Err(error)) => Err(fault(&error)),
                Ok(Ok(_)) => {
                    flow.went(bytes.len() as u64);
                    Ok(())
                }
            };
        }
        let upload = self
            .store
            .put_multipart(&place)
            .await
            .map_err(|error| fault(&error))?;
        let mut write = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut pieces = source.stream(Arc::new(|_| ()));
        let failed = loop {
            let Some(piece) = pieces.next().await else {
                break None;
            };
            match piece {
                _ if flow.is_stopped() => break Some(Fault::here("the transfer was stopped")),
                Err(error) => break Some(Fault::here(error)),
                Ok(piece) => {
                    if let Err(error) = write.wait_for_capacity(PARTS).await {
                        break Some(fault(&error));
                    }
                    flow.went(piece.len() as u64);
                    write.put(piece);
                }
            }
        };
        match failed {
            // What is left half done on the server costs its owner money.
            Some(failed) => {
                let _ = write.abort().await;
                Err(failed)
            }
            None => write
                .finish()
                .await
                .map(drop)
                .map_err(|error| fault(&error)),
        }
    }

    async fn greet(&self) -> Result<String, Fault> {
        match self.length("ac/none").await {
            Ok(_) => Ok(format!("{} bucket", self.kind)),
            Err(error) => Err(error),
        }
    }
}
