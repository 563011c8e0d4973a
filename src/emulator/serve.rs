//! From the wire to the services and back: reads requests, applies faults, writes answers whole or piece by piece.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body as AxumBody, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _, stream};

use super::fault::{self, Action, Service};
use super::graph::Watch;
use super::http::{Answer, Body, Request};
use super::nextcloud::{Listing, claimed};
use super::wire::Switch;
use super::{Shared, Stage, outgoing, steering};

const LARGEST: usize = 32 * 1024 * 1024;

/// Answers every request.
pub(super) async fn answer(
    State((shared, service)): State<(Shared, Service)>,
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
    let (action, answer, pause) = perform(&shared, &request, service);
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    if matches!(action, Some(Action::Reset)) {
        switch.tear();
    }
    if let Some(Action::Huge { bytes }) = action {
        return huge(&shared, &request, bytes, service);
    }
    response(&shared, answer, action.as_ref())
}

/// Does what a request asks, unless a fault says otherwise, and notes it down.
fn perform(shared: &Shared, request: &Request, service: Service) -> (Option<Action>, Answer, u64) {
    let mut stage = shared.lock();
    let now = stage.clock.now();
    let account = match (service, &stage.graph) {
        (Service::Graph, Some(graph)) => graph.claimed(request, now),
        _ => claimed(request),
    };
    let action = stage.faults.decide(request, account.as_deref(), service, false);
    let mut pause = match (service, &stage.graph) {
        (Service::Graph, Some(graph)) => graph.answer_delay_ms(),
        _ => stage.nextcloud.answer_delay_ms(),
    };
    let standalone = action
        .as_ref()
        .and_then(|action| fault::standalone(action, request, service));
    let answer = match (standalone, &action) {
        (Some(answer), _) => answer,
        (None, Some(Action::Huge { .. })) => Answer::html(200, Vec::new()),
        (None, action) => handle(&mut stage, request, service, action.as_ref()),
    };
    if let Some(Action::Delay { ms }) = action {
        pause += ms;
    }
    let status = if matches!(action, Some(Action::Reset)) {
        0
    } else {
        answer.status
    };
    stage.log.note(request, account, status, service, false);
    (action, answer, pause)
}

/// The service's own answer.
fn handle(stage: &mut Stage, request: &Request, service: Service, action: Option<&Action>) -> Answer {
    let now = stage.clock.now();
    let Stage {
        nextcloud,
        graph,
        faults,
        log,
        ..
    } = stage;
    if let (Service::Graph, Some(graph)) = (service, graph) {
        if matches!(action, Some(Action::ExpireToken)) {
            graph.expire_tokens();
        }
        return graph.handle(request, now, &mut Watch { faults, log }, action);
    }
    match action {
        Some(Action::Maintenance) => nextcloud.in_maintenance(request, now),
        Some(Action::DuplicatePage) => nextcloud.handle(&fault::page_before(request), now),
        _ => nextcloud.handle(request, now),
    }
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

fn huge(shared: &Shared, request: &Request, bytes: u64, service: Service) -> Response {
    const PIECE: u64 = 64 * 1024;
    let (status, content_type, before, after) = fault::huge_frame(request, service);
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
