//! How answers are spoilt: each a function of the right answer.

use serde_json::{Value, json};

use super::front::{Answer, Hit};

/// Changes an answer's JSON.
fn edit(answer: &mut Answer, change: impl FnOnce(&mut Value)) {
    let mut body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    change(&mut body);
    answer.body = body.to_string().into_bytes();
}

/// What an answer is about: each thing in its list, or the one that it is.
fn things(body: &mut Value) -> Vec<&mut Value> {
    let data = if body.get("ocs").is_some() {
        &mut body["ocs"]["data"]
    } else if body.get("value").is_some() {
        &mut body["value"]
    } else {
        body
    };
    match data {
        Value::Array(list) => list.iter_mut().collect(),
        one => vec![one],
    }
}

/// The list of an answer, where it is one.
fn list(body: &mut Value) -> Option<&mut Vec<Value>> {
    if body.get("ocs").is_some() {
        return body["ocs"]["data"].as_array_mut();
    }
    body.get_mut("value")?.as_array_mut()
}

/// Changes each single value within.
fn leaves(value: &mut Value, change: &dyn Fn(&mut Value)) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| leaves(value, change)),
        Value::Array(list) => list.iter_mut().for_each(|value| leaves(value, change)),
        leaf => change(leaf),
    }
}

/// Changes the text of an answer.
fn reword(answer: &mut Answer, from: &str, to: &[u8]) {
    let mut changed = Vec::new();
    let mut rest = answer.body.as_slice();
    while let Some(at) = rest.windows(from.len()).position(|part| part == from.as_bytes()) {
        changed.extend_from_slice(&rest[..at]);
        changed.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    changed.extend_from_slice(rest);
    answer.body = changed;
}

/// Puts something at the beginning of each name that is for people.
fn rename(answer: &mut Answer, with: &[u8]) {
    for key in [
        "displayname_owner",
        "displayname_file_owner",
        "share_with_displayname",
        "displayName",
        "token_type",
    ] {
        let begin = format!("\"{key}\":\"");
        reword(answer, &begin, &[begin.as_bytes(), with].concat());
    }
    // Of a file that is shared, and not by its name confidential.
    let begin = "\"name\":\"";
    reword(
        answer,
        "\"name\":\"plan",
        &[begin.as_bytes(), with, b"plan"].concat(),
    );
}

/// Puts a number, as it stands in the text, in place of each.
fn renumber(answer: &mut Answer, number: &str) {
    const MARK: &str = "@number@";
    edit(answer, |body| {
        for thing in things(body) {
            leaves(thing, &|leaf| {
                if leaf.is_number() {
                    *leaf = json!(MARK);
                }
            });
        }
    });
    reword(answer, &format!("\"{MARK}\""), number.as_bytes());
}

fn say(answer: &mut Answer, status: u16, kind: &str, body: &str) {
    answer.status = status;
    answer.set("content-type", kind);
    answer.body = body.as_bytes().to_vec();
}

// What a status says.

pub(super) fn no_content(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 204, "application/json", "");
}
pub(super) fn partial(answer: &mut Answer, _: &Hit<'_>) {
    answer.status = 206;
}
pub(super) fn not_modified(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 304, "application/json", "");
}
pub(super) fn bad_request(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 400, "text/plain", "Bad request");
}
pub(super) fn unauthorized(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 401, "text/plain", "");
    answer.set("www-authenticate", "Negotiate");
}
pub(super) fn forbidden(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 403, "text/plain", "");
}
pub(super) fn not_found(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 404, "text/html", "<html><body>Not found</body></html>");
}
pub(super) fn timeout(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 408, "text/plain", "");
}
pub(super) fn teapot(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 418, "text/plain", "short and stout");
}
pub(super) fn throttled(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 429, "text/plain", "");
}
pub(super) fn throttled_for_a_second(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 429, "text/plain", "");
    answer.set("retry-after", "1");
}
pub(super) fn throttled_for_a_year(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 429, "text/plain", "");
    answer.set("retry-after", "31536000");
}
pub(super) fn throttled_for_ever(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 429, "text/plain", "");
    answer.set("retry-after", &"9".repeat(31));
}
pub(super) fn throttled_into_the_past(answer: &mut Answer, hit: &Hit<'_>) {
    say(answer, 429, "text/plain", "");
    let past = ["-5", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"];
    answer.set("retry-after", past[hit.nth % past.len()]);
}
pub(super) fn failing(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 500, "text/html", "<html>Internal error</html>");
}
pub(super) fn failing_with_good_words(answer: &mut Answer, _: &Hit<'_>) {
    answer.status = 500;
}
pub(super) fn not_implemented(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 501, "text/plain", "");
}
pub(super) fn bad_gateway(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 502, "text/html", "<html>Bad gateway</html>");
}
pub(super) fn unavailable_for_a_second(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 503, "text/plain", "");
    answer.set("retry-after", "1");
}
pub(super) fn gateway_timeout(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 504, "text/plain", "");
}
pub(super) fn unknown_status(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 799, "text/plain", "");
}
pub(super) fn error_as_success(answer: &mut Answer, _: &Hit<'_>) {
    let body = json!({"ocs": {"meta": {"status": "failure", "statuscode": 997, "message": "no"}, "data": []},
                      "error": {"code": "generalException", "message": "no"}});
    say(answer, 200, "application/json", &body.to_string());
}

// What a header says.

pub(super) fn wrong_type(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("content-type", "text/html; charset=UTF-8");
}
pub(super) fn no_type(answer: &mut Answer, _: &Hit<'_>) {
    answer.unset("content-type");
}
pub(super) fn charset_of_another(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("content-type", "application/json; charset=utf-16");
}
pub(super) fn unknown_packing(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("content-encoding", "br");
    answer.body = vec![0x8b, 0x02, 0x80, 0x78, 0x03];
}
pub(super) fn cookies(answer: &mut Answer, _: &Hit<'_>) {
    for number in 0..60 {
        answer
            .headers
            .push(("set-cookie".to_owned(), format!("session{number}=taken; Path=/")));
    }
}
pub(super) fn pointers_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    let port = hit.foreign.rsplit(':').next().unwrap_or_default();
    for (name, value) in [
        ("location", hit.foreign.to_owned()),
        ("content-location", hit.foreign.to_owned()),
        ("refresh", format!("0; url={}", hit.foreign)),
        ("link", format!("<{}/next>; rel=\"next\"", hit.foreign)),
        ("alt-svc", format!("http/1.1=\"127.0.0.1:{port}\"; ma=3600")),
        (
            "report-to",
            format!("{{\"endpoints\":[{{\"url\":\"{}\"}}]}}", hit.foreign),
        ),
    ] {
        answer.set(name, &value);
    }
}
pub(super) fn other_account(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("x-user-id", "mallory");
}
pub(super) fn long_header(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("x-long", &"x".repeat(1024 * 1024));
}
pub(super) fn many_headers(answer: &mut Answer, _: &Hit<'_>) {
    for number in 0..500 {
        answer.headers.push((format!("x-{number}"), "y".to_owned()));
    }
}

// What a body holds.

pub(super) fn empty(answer: &mut Answer, _: &Hit<'_>) {
    answer.body.clear();
}
pub(super) fn half(answer: &mut Answer, _: &Hit<'_>) {
    answer.body.truncate(answer.body.len() / 2);
}
pub(super) fn page(answer: &mut Answer, _: &Hit<'_>) {
    say(
        answer,
        200,
        "text/html",
        "<!DOCTYPE html><html><body>Please sign in to this network.</body></html>",
    );
}
pub(super) fn xml(answer: &mut Answer, _: &Hit<'_>) {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                <ocs><meta><statuscode>200</statuscode></meta><data>&b;</data></ocs>";
    say(answer, 200, "application/xml", bomb);
}
pub(super) fn null(answer: &mut Answer, _: &Hit<'_>) {
    answer.body = b"null".to_vec();
}
pub(super) fn in_a_list(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| *body = json!([body]));
}
pub(super) fn only_text(answer: &mut Answer, _: &Hit<'_>) {
    answer.body = b"\"done\"".to_vec();
}
pub(super) fn deep(answer: &mut Answer, _: &Hit<'_>) {
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let mark = json!("@deep@");
    edit(answer, |body| {
        for thing in things(body) {
            *thing = mark.clone();
        }
    });
    reword(answer, "\"@deep@\"", &deep);
}
pub(super) fn invalid_text(answer: &mut Answer, _: &Hit<'_>) {
    rename(answer, b"\xff\xfe\xc0\x80");
}
pub(super) fn raw_controls(answer: &mut Answer, _: &Hit<'_>) {
    rename(answer, b"\0\x01\x1b[2J");
}
pub(super) fn hostile_names(answer: &mut Answer, _: &Hit<'_>) {
    let name =
        "\\u0000\\u001b[2J\\u001b]0;owned\\u0007\\r\\nBcc: x@evil.example\\u202e\\u200b<script>=1+1\\\"; --";
    rename(answer, name.as_bytes());
}
pub(super) fn lone_surrogates(answer: &mut Answer, _: &Hit<'_>) {
    rename(answer, b"\\ud800");
}
pub(super) fn byte_order_mark(answer: &mut Answer, _: &Hit<'_>) {
    answer.body.splice(0..0, *b"\xef\xbb\xbf");
}
pub(super) fn wide_text(answer: &mut Answer, _: &Hit<'_>) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    answer.body = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
}
pub(super) fn huge_numbers(answer: &mut Answer, _: &Hit<'_>) {
    renumber(answer, &"9".repeat(400));
}
pub(super) fn infinite_numbers(answer: &mut Answer, _: &Hit<'_>) {
    renumber(answer, "1e400");
}
pub(super) fn negative_numbers(answer: &mut Answer, _: &Hit<'_>) {
    renumber(answer, "-9223372036854775808");
}
pub(super) fn no_numbers(answer: &mut Answer, _: &Hit<'_>) {
    renumber(answer, "NaN");
}
pub(super) fn other_types(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        for thing in things(body) {
            leaves(thing, &|leaf| {
                *leaf = match leaf {
                    Value::String(_) => json!(7),
                    Value::Number(_) => json!({"seven": [7]}),
                    Value::Bool(_) => json!("yes"),
                    _ => json!([false]),
                };
            });
        }
    });
}
pub(super) fn lists_for_objects(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        for thing in things(body) {
            let values = thing.as_object().map(|fields| fields.values().cloned().collect());
            *thing = Value::Array(values.unwrap_or_default());
        }
    });
}
pub(super) fn fields_missing(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        for thing in things(body) {
            *thing = json!({});
        }
    });
}
pub(super) fn ids_missing(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        for thing in things(body) {
            if let Some(fields) = thing.as_object_mut() {
                fields.retain(|key, _| key != "id" && key != "access_token");
            }
        }
    });
}
pub(super) fn twice(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        if let Some(list) = list(body) {
            list.extend(list.clone());
        }
    });
}
pub(super) fn one_id_for_two(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        let mut things = things(body);
        let first = things
            .first()
            .map(|first| first["id"].clone())
            .unwrap_or_default();
        for thing in things.iter_mut().skip(1) {
            thing["id"] = first.clone();
        }
    });
}
pub(super) fn keys_twice(answer: &mut Answer, _: &Hit<'_>) {
    for key in ["id", "access_token"] {
        let begin = format!("\"{key}\":");
        reword(answer, &begin, format!("{begin}\"0\",{begin}").as_bytes());
    }
}
pub(super) fn wrong_id_later(answer: &mut Answer, hit: &Hit<'_>) {
    if hit.nth > 0 {
        wrong_id(answer, hit);
    }
}
pub(super) fn wrong_id(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        for thing in things(body) {
            thing["id"] = json!("4711");
        }
    });
}
pub(super) fn more_after_the_end(answer: &mut Answer, _: &Hit<'_>) {
    answer.body.extend(b"{\"more\":true}");
}
pub(super) fn garbled_packing(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("content-encoding", "gzip");
    answer.body.splice(0..0, *b"\x1f\x8b\x08\x00");
}

// Where the next page is.

fn next(answer: &mut Answer, link: &Value) {
    edit(answer, |body| {
        if let Some(fields) = body.as_object_mut() {
            fields.remove("@odata.deltaLink");
            fields.insert("@odata.nextLink".to_owned(), link.clone());
        }
    });
}
pub(super) fn next_is_this(answer: &mut Answer, hit: &Hit<'_>) {
    next(answer, &json!(format!("{}{}", hit.own, hit.asked.path)));
}
pub(super) fn next_goes_round(answer: &mut Answer, hit: &Hit<'_>) {
    next(
        answer,
        &json!(format!(
            "{}{}?$skiptoken={}",
            hit.own,
            hit.asked.path,
            hit.nth % 3
        )),
    );
}
pub(super) fn next_without_end(answer: &mut Answer, hit: &Hit<'_>) {
    empty_page(answer);
    next(
        answer,
        &json!(format!("{}{}?$skiptoken={}", hit.own, hit.asked.path, hit.nth)),
    );
}
fn empty_page(answer: &mut Answer) {
    edit(answer, |body| *body = json!({"value": []}));
}
pub(super) fn new_things_without_end(answer: &mut Answer, hit: &Hit<'_>) {
    let number = hit.nth;
    edit(answer, |body| {
        let first = number * 200;
        let new = (first..first + 200).map(|number| {
            let parent = json!({"driveId": "b!x", "id": "01ROOT"});
            json!({"id": format!("01NEW{number}"), "name": format!("{number}"), "size": 1, "folder": {},
                   "parentReference": parent})
        });
        *body = json!({"value": new.collect::<Vec<_>>()});
    });
    next(
        answer,
        &json!(format!("{}{}?$skiptoken={number}", hit.own, hit.asked.path)),
    );
}
pub(super) fn next_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    next(answer, &json!(format!("{}{}", hit.foreign, hit.asked.path)));
}
pub(super) fn next_by_another_scheme(answer: &mut Answer, hit: &Hit<'_>) {
    next(
        answer,
        &json!(format!(
            "{}{}",
            hit.own.replace("http:", "https:"),
            hit.asked.path
        )),
    );
}
pub(super) fn next_behind_a_name(answer: &mut Answer, hit: &Hit<'_>) {
    let own = hit.own.trim_start_matches("http://");
    let elsewhere = hit.foreign.trim_start_matches("http://");
    next(
        answer,
        &json!(format!("http://{own}@{elsewhere}{}", hit.asked.path)),
    );
}
pub(super) fn next_as_somebody(answer: &mut Answer, hit: &Hit<'_>) {
    let own = hit.own.trim_start_matches("http://");
    next(
        answer,
        &json!(format!("http://mallory:secret@{own}/v1.0/nowhere")),
    );
}
pub(super) fn next_is_a_file(answer: &mut Answer, _: &Hit<'_>) {
    next(answer, &json!("file:///etc/passwd"));
}
pub(super) fn next_is_relative(answer: &mut Answer, hit: &Hit<'_>) {
    next(answer, &json!(hit.asked.path));
}
pub(super) fn next_is_no_text(answer: &mut Answer, _: &Hit<'_>) {
    next(answer, &json!(["https://graph.example"]));
}
pub(super) fn next_is_long(answer: &mut Answer, hit: &Hit<'_>) {
    next(
        answer,
        &json!(format!(
            "{}{}?$skiptoken={}",
            hit.own,
            hit.asked.path,
            "x".repeat(2 * 1024 * 1024)
        )),
    );
}
pub(super) fn no_end_told(answer: &mut Answer, _: &Hit<'_>) {
    edit(answer, |body| {
        if let Some(fields) = body.as_object_mut() {
            fields.remove("@odata.deltaLink");
            fields.remove("@odata.nextLink");
        }
    });
}
pub(super) fn changes_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    edit(answer, |body| {
        body["@odata.deltaLink"] = json!(format!("{}{}?token=x", hit.foreign, hit.asked.path));
    });
}
pub(super) fn one_page_again(answer: &mut Answer, _: &Hit<'_>) {
    // As many as were asked for: there seem to be more.
    edit(answer, |body| {
        let users: serde_json::Map<String, Value> = (0..500)
            .map(|number| {
                (
                    format!("x{number}"),
                    json!({"id": format!("x{number}"), "enabled": false}),
                )
            })
            .collect();
        body["ocs"]["data"]["users"] = Value::Object(users);
    });
}

// Where a redirect leads.

fn redirect(answer: &mut Answer, status: u16, to: &str) {
    say(answer, status, "text/html", "<html>Moved</html>");
    answer.set("location", to);
}
pub(super) fn found_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(answer, 302, &format!("{}{}", hit.foreign, hit.asked.path));
}
pub(super) fn temporarily_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(answer, 307, &format!("{}{}", hit.foreign, hit.asked.path));
}
pub(super) fn permanently_elsewhere(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(
        answer,
        308,
        &hit.foreign.replace("http://", "http://graph.microsoft.com@"),
    );
}
pub(super) fn to_itself(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(answer, 301, &format!("{}{}", hit.own, hit.asked.path));
}
pub(super) fn to_another_scheme(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(
        answer,
        301,
        &format!("{}{}", hit.own.replace("http:", "https:"), hit.asked.path),
    );
}
pub(super) fn to_a_file(answer: &mut Answer, _: &Hit<'_>) {
    redirect(answer, 302, "file:///etc/passwd");
}
pub(super) fn to_nowhere(answer: &mut Answer, _: &Hit<'_>) {
    say(answer, 303, "text/html", "");
}
pub(super) fn choices(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(answer, 300, hit.foreign);
}
pub(super) fn use_proxy(answer: &mut Answer, hit: &Hit<'_>) {
    redirect(answer, 305, hit.foreign);
}

// What a clock says.

pub(super) fn clock_years_ahead(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("date", "Fri, 22 Nov 2047 12:00:00 GMT");
}
pub(super) fn clock_broken(answer: &mut Answer, _: &Hit<'_>) {
    answer.set("date", "yesterday");
}

// What is untrue of a share.

pub(super) fn said_to_be_wider_later(answer: &mut Answer, hit: &Hit<'_>) {
    if hit.nth == 0 {
        return;
    }
    edit(answer, |body| {
        for thing in things(body) {
            if thing.get("permissions").is_some() {
                thing["permissions"] = json!(31);
            } else {
                thing["link"]["type"] = json!("view");
                thing["roles"] = json!(["read"]);
            }
        }
    });
}
pub(super) fn said_to_be_done(answer: &mut Answer, _: &Hit<'_>) {
    let body = json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": {}},
                      "id": "11111111-0000-4000-8000-000000000001"});
    say(answer, 200, "application/json", &body.to_string());
}

// What the wire carries.

fn text(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}
pub(super) fn early_hints(answer: &Answer, hit: &Hit<'_>) -> Vec<u8> {
    let hint = format!(
        "HTTP/1.1 103 Early Hints\r\nlink: <{}>; rel=preload\r\n\r\n",
        hit.foreign
    );
    [hint.repeat(3).into_bytes(), answer.bytes()].concat()
}
pub(super) fn switching(_: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x01\x02")
}
pub(super) fn old_http(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    answer.body.clone()
}
pub(super) fn other_protocol(_: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text("220 mail.example.org ESMTP ready\r\n")
}
pub(super) fn status_is_no_number(_: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text("HTTP/1.1 fine OK\r\ncontent-length: 0\r\n\r\n")
}
pub(super) fn two_lengths(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = answer.open_head();
    let body = String::from_utf8_lossy(&answer.body);
    text(format!(
        "{head}content-length: {}\r\ncontent-length: 5\r\n\r\n{body}",
        answer.body.len()
    ))
}
pub(super) fn length_and_chunks(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = answer.open_head();
    text(format!(
        "{head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    ))
}
pub(super) fn negative_length(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text(format!("{}content-length: -1\r\n\r\n", answer.open_head()))
}
pub(super) fn boundless_length(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text(format!(
        "{}content-length: {}\r\n\r\nx",
        answer.open_head(),
        "9".repeat(30)
    ))
}
pub(super) fn length_too_great(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = format!(
        "{}content-length: {}\r\n\r\n",
        answer.open_head(),
        answer.body.len() + 100
    );
    [head.as_bytes(), &answer.body].concat()
}
pub(super) fn length_too_small(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = format!(
        "{}content-length: {}\r\n\r\n",
        answer.open_head(),
        answer.body.len() / 2
    );
    [head.as_bytes(), &answer.body].concat()
}
pub(super) fn forged_answer_behind(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let body =
        json!({"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": []}, "value": []}).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let forged = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    [answer.bytes(), forged.repeat(3).into_bytes()].concat()
}
pub(super) fn bad_header(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = answer.open_head();
    [head.as_bytes(), b"x-bad: a\0b\x01\r\ncontent-length: 2\r\n\r\n{}"].concat()
}
pub(super) fn header_without_colon(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text(format!(
        "{}this is no header\r\ncontent-length: 2\r\n\r\n{{}}",
        answer.open_head()
    ))
}
fn chunked(answer: &Answer) -> String {
    format!("{}transfer-encoding: chunked\r\n\r\n", answer.open_head())
}
pub(super) fn bad_chunk(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text(chunked(answer) + "5\r\n{\"ocs\r\nnot a length\r\n")
}
pub(super) fn boundless_chunk(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    text(chunked(answer) + &"f".repeat(17) + "\r\n{\"ocs")
}
pub(super) fn no_last_chunk(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = format!("{}{:x}\r\n", chunked(answer), answer.body.len());
    [head.as_bytes(), &answer.body, b"\r\n"].concat()
}
pub(super) fn cut(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let whole = answer.bytes();
    whole[..whole.len() - answer.body.len() / 2 - 1].to_vec()
}
pub(super) fn cut_packing(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let packed = &packed_blanks()[..64];
    let head = format!(
        "{}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        answer.open_head(),
        packed.len()
    );
    [head.as_bytes(), packed].concat()
}
pub(super) fn without_farewell(answer: &Answer, _: &Hit<'_>) -> Vec<u8> {
    let head = format!("{}connection: close\r\n\r\n", answer.open_head());
    [head.as_bytes(), &answer.body].concat()
}

// What has no end.

pub(super) fn nothing(_: &Answer) -> Vec<u8> {
    Vec::new()
}
pub(super) fn begun_head(_: &Answer) -> Vec<u8> {
    text("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-")
}
pub(super) fn begun_body(answer: &Answer) -> Vec<u8> {
    let whole = answer.bytes();
    whole[..whole.len() - answer.body.len() / 2 - 1].to_vec()
}
/// A list that is begun, as either service has it.
pub(super) fn begun_list(answer: &Answer) -> Vec<u8> {
    let begin = "{\"value\":[],\"ocs\":{\"meta\":{\"statuscode\":200},\"data\":[";
    [text(chunked(answer)), chunk(begin)].concat()
}
/// A text in a list that is begun.
pub(super) fn begun_text(answer: &Answer) -> Vec<u8> {
    [begun_list(answer), chunk("{\"id\":\"")].concat()
}
pub(super) fn begun_chunks(answer: &Answer) -> Vec<u8> {
    text(chunked(answer) + "2\r\n{}\r\n0\r\n")
}
pub(super) fn begun_packing(answer: &Answer) -> Vec<u8> {
    let head = format!("{}content-encoding: gzip\r\n\r\n", answer.open_head());
    [head.as_bytes(), &packed_blanks()[..26]].concat()
}
pub(super) fn go_on() -> Vec<u8> {
    text("HTTP/1.1 100 Continue\r\n\r\n".repeat(10))
}
pub(super) fn letters() -> Vec<u8> {
    b"x".repeat(16 * 1024)
}
pub(super) fn one_letter() -> Vec<u8> {
    text("x")
}
pub(super) fn more_headers() -> Vec<u8> {
    text("a: b\r\nx-".repeat(1000))
}
fn chunk(body: &str) -> Vec<u8> {
    text(format!("{:x}\r\n{body}\r\n", body.len()))
}
pub(super) fn chunk_of_letters() -> Vec<u8> {
    chunk(&"x".repeat(16 * 1024))
}
pub(super) fn chunk_of_blanks() -> Vec<u8> {
    chunk(&" ".repeat(16 * 1024))
}
pub(super) fn chunk_of_things() -> Vec<u8> {
    chunk(&"{},".repeat(5000))
}
pub(super) fn small_chunk() -> Vec<u8> {
    chunk(" ")
}
pub(super) fn more_trailers() -> Vec<u8> {
    text("a: b\r\n".repeat(1000))
}
/// Thirteen bytes for 2,064 blanks, many times.
pub(super) fn packed_piece() -> Vec<u8> {
    packed_blanks()[26..39].repeat(400)
}

/// Blanks in GZIP, as RFC 1951 (3.2.6) has it: a block of fixed codes without an end, with one blank and then copies of
/// it, 258 at a time. From some byte on it repeats itself every thirteen bytes.
fn packed_blanks() -> Vec<u8> {
    let mut bits = vec![false, true, false];
    let mut put = |code: u32, length: u32| bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    put(0x30 + u32::from(b' '), 8);
    for _ in 0..80 {
        // The length 258, and the distance 1.
        put(0xc5, 8);
        put(0, 5);
    }
    let bytes = bits
        .chunks(8)
        .map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]
        .into_iter()
        .chain(bytes)
        .collect()
}
