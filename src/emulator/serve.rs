//! From the wire to the services and back: reads requests, applies faults, writes answers whole or piece by piece.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body as AxumBody, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _, stream};

use super::fault::{self, Action};
use super::http::{Answer, Body, Request};
use super::nextcloud::{Listing, claimed};
use super::wire::Switch;
use super::{Shared, outgoing, steering};

const LARGEST: usize = 32 * 1024 * 1024;

/// Answers every request.
pub(super) async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return response(&shared, Answer::html(413, "too large"), None);
    };
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        raw_query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    if let Some(rest) = request.path.strip_prefix("/__emulator/") {
        let answer = if rest == "occ" && request.method == "POST" {
            outgoing::occ(&shared, &request).await
        } else {
            steering::handle(&mut shared.lock(), rest, &request)
        };
        return response(&shared, answer, None);
    }
    let (action, answer, pause) = perform(&shared, &request);
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    if matches!(action, Some(Action::Reset)) {
        switch.tear();
    }
    if let Some(Action::Huge { bytes }) = action {
        return huge(&shared, &request, bytes);
    }
    response(&shared, answer, action.as_ref())
}

/// Does what a request asks, unless a fault says otherwise, and notes it down.
fn perform(shared: &Shared, request: &Request) -> (Option<Action>, Answer, u64) {
    let mut stage = shared.lock();
    let now = stage.clock.now();
    let account = claimed(request);
    let action = stage.faults.decide(request, account.as_deref());
    let mut pause = stage.nextcloud.answer_delay_ms();
    let answer = match &action {
        Some(Action::Maintenance) => stage.nextcloud.in_maintenance(request, now),
        Some(Action::DuplicatePage) => stage.nextcloud.handle(&fault::page_before(request), now),
        Some(Action::Huge { .. }) => Answer::html(200, Vec::new()),
        Some(other) => match fault::standalone(other, request) {
            Some(answer) => answer,
            None => stage.nextcloud.handle(request, now),
        },
        None => stage.nextcloud.handle(request, now),
    };
    if let Some(Action::Delay { ms }) = action {
        pause += ms;
    }
    let status = if matches!(action, Some(Action::Reset)) {
        0
    } else {
        answer.status
    };
    stage.log.note(request, account, status);
    (action, answer, pause)
}

fn response(shared: &Shared, answer: Answer, action: Option<&Action>) -> Response {
    let headers = answer.header_map();
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (body, length) = body(shared, answer.body, action);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(length) = length {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let now = shared.lock().clock.now();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("date"), date);
    }
    response
}

/// The body, and the length to announce where it is not the body's own.
fn body(shared: &Shared, body: Body, action: Option<&Action>) -> (AxumBody, Option<usize>) {
    match action {
        Some(Action::Cut { bytes }) => {
            let whole = whole(shared, body);
            let length = whole.len();
            let part = whole.slice(..length.min(*bytes));
            if part.len() == length {
                return (AxumBody::from(whole), None);
            }
            // What was sent has to be on its way before the connection ends, or nothing of it would arrive.
            let torn = stream::once(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Err(io::Error::from(io::ErrorKind::ConnectionAborted))
            });
            let sent = stream::iter([Ok(part)]);
            (AxumBody::from_stream(sent.chain(torn)), Some(length))
        }
        Some(Action::Slow { bytes, ms }) => (
            AxumBody::from_stream(slowly(whole(shared, body), *bytes, *ms)),
            None,
        ),
        Some(Action::Malformed) => {
            let whole = whole(shared, body);
            let half = whole.len() / 2;
            (AxumBody::from(whole.slice(..half)), None)
        }
        _ => match body {
            Body::Whole(bytes) => (AxumBody::from(bytes), None),
            Body::Shares(listing) if listing.pieces() == 1 => {
                (AxumBody::from(whole(shared, Body::Shares(listing))), None)
            }
            Body::Shares(listing) => (AxumBody::from_stream(pieces(shared.clone(), *listing)), None),
        },
    }
}

fn whole(shared: &Shared, body: Body) -> Bytes {
    match body {
        Body::Whole(bytes) => Bytes::from(bytes),
        Body::Shares(mut listing) => {
            let stage = shared.lock();
            let text: String = (0..listing.pieces())
                .map(|number| listing.piece(&stage.nextcloud, number))
                .collect();
            Bytes::from(text)
        }
    }
}

/// Writes a long listing while it is sent, so that it is never in memory as a whole.
fn pieces(shared: Shared, listing: Listing) -> impl Stream<Item = Result<String, Infallible>> {
    stream::unfold((shared, listing, 0), |(shared, mut listing, number)| async move {
        if number == listing.pieces() {
            return None;
        }
        let text = listing.piece(&shared.lock().nextcloud, number);
        Some((Ok(text), (shared, listing, number + 1)))
    })
}

fn slowly(whole: Bytes, bytes: usize, ms: u64) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(whole, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let piece = rest.split_to(bytes.clamp(1, rest.len()));
        Some((Ok(piece), rest))
    })
}

fn huge(shared: &Shared, request: &Request, bytes: u64) -> Response {
    const PIECE: u64 = 64 * 1024;
    let (status, content_type, before, after) = fault::huge_frame(request);
    let filling = stream::unfold(bytes, |left| async move {
        if left == 0 {
            return None;
        }
        let now = left.min(PIECE);
        Some((
            Bytes::from(vec![b'A'; usize::try_from(now).unwrap_or(0)]),
            left - now,
        ))
    });
    let ends = |text: &'static str| stream::iter([Bytes::from_static(text.as_bytes())]);
    let all = ends(before)
        .chain(filling)
        .chain(ends(after))
        .map(Ok::<_, Infallible>);
    let mut response = response(shared, Answer::new(status, content_type, Vec::new()), None);
    *response.body_mut() = AxumBody::from_stream(all);
    response
}
