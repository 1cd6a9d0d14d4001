//! The line to a server: who we are, what it can do, and what is asked again when it fails.

use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::GetCapabilitiesRequest;
use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_client::ActionCacheClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_client::CapabilitiesClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_client::ContentAddressableStorageClient;
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use prost::Message;
use tokio::sync::OnceCell;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};
use url::Url;

use crate::access::{Access, provide_crypto};
use crate::fault::{Fault, Kind};
use crate::wire::{ANSWER, CONNECT};

/// Further attempts, and what is waited before each.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// No longer than this is waited because a server asked for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages that are taken: some servers go beyond what they may.
const MESSAGE: usize = 16 << 20;

/// Bytes of blobs in one message, whatever a server says: gRPC's own limit is 4 MiB.
pub(crate) const BATCH: u64 = 3 << 20;

/// SHA-256 among the digest functions.
const SHA256: i32 = 1;

/// What a server can do.
#[derive(Debug, Clone)]
pub(crate) struct Capabilities {
    /// Its action cache takes something.
    pub(crate) updates: bool,
    /// Bytes of blobs in one message.
    pub(crate) batch: u64,
}

/// See the module.
pub(crate) struct Line {
    channel: Channel,
    pub(crate) instance: String,
    headers: Vec<(AsciiMetadataKey, AsciiMetadataValue)>,
    capabilities: OnceCell<Capabilities>,
}

impl Line {
    pub(crate) fn new(url: &Url, access: &Access) -> Result<Line, Fault> {
        provide_crypto();
        let secure = url.scheme() == "grpcs";
        let host = url.host_str().unwrap_or_default();
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        let scheme = if secure { "https" } else { "http" };
        let setup = |error: tonic::transport::Error| Fault::refused(crate::fault::chain(&error));
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{host}:{port}"))
            .map_err(setup)?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .initial_stream_window_size(8 << 20)
            .initial_connection_window_size(16 << 20)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(15))
            .user_agent(concat!("jalon/", env!("CARGO_PKG_VERSION")))
            .map_err(setup)?;
        if secure {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(pem) = access.roots()? {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            if let Some((certificate, key)) = access.pair()? {
                tls = tls.identity(Identity::from_pem(certificate, key));
            }
            endpoint = endpoint.tls_config(tls).map_err(setup)?;
        }
        let mut headers = Vec::new();
        let token = access
            .token
            .iter()
            .map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        for (name, value) in access.headers.iter().cloned().chain(token) {
            let wrong = || Fault::refused(format!("the header `{name}` cannot be sent"));
            let key: AsciiMetadataKey = name.to_ascii_lowercase().parse().map_err(|_| wrong())?;
            headers.push((key, value.parse().map_err(|_| wrong())?));
        }
        Ok(Line {
            channel: endpoint.connect_lazy(),
            instance: url.path().trim_matches('/').to_owned(),
            headers,
            capabilities: OnceCell::new(),
        })
    }

    pub(crate) fn cas(&self) -> ContentAddressableStorageClient<Channel> {
        ContentAddressableStorageClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE)
    }

    pub(crate) fn actions(&self) -> ActionCacheClient<Channel> {
        ActionCacheClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE)
    }

    pub(crate) fn bytes(&self) -> ByteStreamClient<Channel> {
        ByteStreamClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE)
    }

    /// A message with who we are.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (key, value) in &self.headers {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        request
    }

    /// What the server can do, asked once.
    pub(crate) async fn ready(&self) -> Result<&Capabilities, Fault> {
        self.capabilities
            .get_or_try_init(|| async {
                let answer = self
                    .call(|| {
                        let request = self.request(GetCapabilitiesRequest {
                            instance_name: self.instance.clone(),
                        });
                        let mut client = CapabilitiesClient::new(self.channel.clone());
                        async move { client.get_capabilities(request).await }
                    })
                    .await?;
                let Some(cache) = answer.cache_capabilities else {
                    return Err(Fault::unavailable("it is no cache"));
                };
                // Servers from before there was a choice name none.
                if !cache.digest_functions.is_empty() && !cache.digest_functions.contains(&SHA256) {
                    return Err(Fault::unavailable("it does not speak SHA-256"));
                }
                let most = u64::try_from(cache.max_batch_total_size_bytes).unwrap_or(0);
                Ok(Capabilities {
                    updates: cache
                        .action_cache_update_capabilities
                        .is_none_or(|update| update.update_enabled),
                    batch: match most {
                        0 => BATCH,
                        // What stands around the bytes counts too.
                        most => (most / 8 * 7).clamp(1, BATCH),
                    },
                })
            })
            .await
    }

    /// Asks, and asks again where that may help.
    pub(crate) async fn call<T, Answer>(&self, ask: impl Fn() -> Answer) -> Result<T, Fault>
    where
        Answer: Future<Output = Result<Response<T>, Status>>,
    {
        let mut tries = AGAIN.iter();
        loop {
            let answer = tokio::time::timeout(ANSWER, ask()).await;
            let status = match answer {
                Err(_) => {
                    let message = format!("no answer for {} s", ANSWER.as_secs());
                    return Err(Fault::unavailable(message));
                }
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
            };
            match tries.next().filter(|_| is_passing(status.code())) {
                Some(pause) => {
                    tokio::time::sleep(asked_for(&status).unwrap_or(*pause)).await;
                }
                None => return Err(fault(&status)),
            }
        }
    }
}

/// Whether another answer may come soon.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::ResourceExhausted
    )
}

/// `google.rpc.RetryInfo`. Source: error_details.proto.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Pause>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Pause {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// How long a server asks us to wait.
fn asked_for(status: &Status) -> Option<Duration> {
    let status = bazel_remote_apis::google::rpc::Status::decode(status.details()).ok()?;
    let info = status
        .details
        .iter()
        .find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    let nanos = u32::try_from(delay.nanos).ok()?.min(999_999_999);
    Some(Duration::new(seconds, nanos).min(PATIENCE))
}

/// What a status means.
pub(crate) fn fault(status: &Status) -> Fault {
    let kind = match status.code() {
        Code::NotFound => Kind::Absent,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        code if is_passing(code) => Kind::Unavailable,
        _ => Kind::Refused,
    };
    let cause = std::error::Error::source(status).map(crate::fault::chain);
    let message = match (status.message(), cause) {
        ("", None) => status.code().description().to_owned(),
        (message, Some(cause)) if !message.contains(&cause) => format!("{message}: {cause}"),
        (message, _) => message.to_owned(),
    };
    Fault::new(kind, message)
}
