//! Faulty answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Frame;
use s3s::{Body, HttpResponse};
use tokio::time::Sleep;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503 `SlowDown`.
    SlowDown,
    /// 429 `TooManyRequests`, as other servers throttle.
    TooMany,
    /// 500 `InternalError`.
    Internal,
    /// 403 `AccessDenied`.
    Denied,
    /// 404 `NoSuchKey`.
    Gone,
    /// 400 `ExpiredToken`.
    Expired,
    /// 403 `InvalidAccessKeyId`.
    UnknownKeys,
    /// 403 `InvalidObjectState`: in an archive, not restored.
    Archived,
    /// 400 `KMS.DisabledException`.
    KmsDisabled,
    /// 400 `KMS.ThrottlingException`.
    KmsThrottling,
    /// 301 `PermanentRedirect`; given by the server itself for a wrong region.
    Redirect,
    /// The head promises the whole body; after so many bytes the connection is cut.
    Cut(usize),
    /// The same, but the connection stays open and silent.
    Stall(usize),
    /// The body ends after so many bytes, and nothing in HTTP shows that it is cut: no length is
    /// announced, and the connection stays open.
    End(usize),
    /// The body comes a byte at a time, after such a pause each.
    Drip(Duration),
    /// The first byte of the body is another one.
    Flip,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Drop,
}

impl Fault {
    pub(super) fn answer(self) -> HttpResponse {
        let (status, code) = match self {
            Self::SlowDown => (503, "SlowDown"),
            Self::TooMany => (429, "TooManyRequests"),
            Self::Internal => (500, "InternalError"),
            Self::Denied => (403, "AccessDenied"),
            Self::Gone => (404, "NoSuchKey"),
            Self::Expired => (400, "ExpiredToken"),
            Self::UnknownKeys => (403, "InvalidAccessKeyId"),
            Self::Archived => (403, "InvalidObjectState"),
            Self::KmsDisabled => (400, "KMS.DisabledException"),
            Self::KmsThrottling => (400, "KMS.ThrottlingException"),
            Self::Redirect => (301, "PermanentRedirect"),
            Self::Cut(_)
            | Self::Stall(_)
            | Self::End(_)
            | Self::Drip(_)
            | Self::Flip
            | Self::Hang
            | Self::Drop => {
                unreachable!("{self:?} is not an answer")
            }
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Error><Code>{code}</Code><Message>as ordered by the test.</Message></Error>"
        );
        let mut response = HttpResponse::new(Body::from(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("content-type", "application/xml".parse().unwrap());
        response.headers_mut().insert("x-amz-request-id", "TESTREQUEST".parse().unwrap());
        response
    }
}

/// Returns whether `fault` leaves out the end of a body, and if so, after how many bytes.
pub(super) fn cut_at(fault: Option<Fault>) -> Option<(usize, End)> {
    match fault? {
        Fault::Cut(bytes) => Some((bytes, End::Open)),
        Fault::Stall(bytes) => Some((bytes, End::Stall)),
        Fault::End(bytes) => Some((bytes, End::Unnoticed)),
        _ => None,
    }
}

/// Ends the body of `response` after so many bytes.
pub(super) fn cut(mut response: HttpResponse, bytes: usize, end: End) -> HttpResponse {
    if matches!(end, End::Unnoticed) {
        response.headers_mut().remove("content-length");
    }
    response.map(|body| {
        Body::http_body_unsync(CutBody { body: Box::pin(body), bytes_left: bytes, end })
    })
}

/// Changes the first byte of the body of `response`.
pub(super) fn flip(response: HttpResponse) -> HttpResponse {
    response.map(|body| {
        Body::http_body_unsync(EditedBody {
            body: Box::pin(body),
            edit: Edit::Flip,
            left: Bytes::new(),
        })
    })
}

/// Sends the body of `response` a byte at a time.
pub(super) fn drip(response: HttpResponse, pause: Duration) -> HttpResponse {
    response.map(|body| {
        let edit = Edit::Drip { pause, sleep: Box::pin(tokio::time::sleep(pause)) };
        Body::http_body_unsync(EditedBody { body: Box::pin(body), edit, left: Bytes::new() })
    })
}

struct EditedBody {
    body: Pin<Box<Body>>,
    edit: Edit,
    /// What has not been sent yet.
    left: Bytes,
}

enum Edit {
    Flip,
    Flipped,
    Drip { pause: Duration, sleep: Pin<Box<Sleep>> },
}

impl hyper::body::Body for EditedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.is_empty() {
            let Some(frame) = ready!(self.body.as_mut().poll_frame(context)) else {
                return Poll::Ready(None);
            };
            self.left = frame.unwrap().into_data().unwrap_or_default();
        }
        match &mut self.edit {
            Edit::Flip => {
                self.edit = Edit::Flipped;
                let mut bytes = std::mem::take(&mut self.left).to_vec();
                bytes[0] ^= 1;
                Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
            }
            Edit::Flipped => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.left))))),
            Edit::Drip { pause, sleep } => {
                ready!(sleep.as_mut().poll(context));
                sleep.as_mut().reset(tokio::time::Instant::now() + *pause);
                let byte = self.left.split_to(1);
                Poll::Ready(Some(Ok(Frame::data(byte))))
            }
        }
    }
}

struct CutBody {
    body: Pin<Box<Body>>,
    bytes_left: usize,
    end: End,
}

/// What follows the last byte of a body that is cut.
pub(super) enum End {
    Open,
    Unnoticed,
    /// Waits until what was sent before has left: an immediate error would discard the head.
    Closing(Pin<Box<Sleep>>),
    Stall,
}

impl hyper::body::Body for CutBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes_left > 0
            && let Some(frame) = ready!(self.body.as_mut().poll_frame(context))
            && let Ok(mut data) = frame.unwrap().into_data()
        {
            data.truncate(self.bytes_left);
            self.bytes_left -= data.len();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.end {
            End::Stall => Poll::Pending,
            End::Unnoticed => Poll::Ready(None),
            End::Closing(sleep) => {
                ready!(sleep.as_mut().poll(context));
                Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
            }
            End::Open => {
                self.end = End::Closing(Box::pin(tokio::time::sleep(Duration::from_millis(5))));
                self.poll_frame(context)
            }
        }
    }
}
