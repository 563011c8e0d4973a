//! What servers may do wrong, where, and what has to come of it.

use super::front::{Asked, Twist};
use super::tls::Tls;
use super::twists as by;

/// The drive of the person who shares most.
const ALICES_DRIVE: &str = "b!561hoqKtnxJf";

/// Where a server misbehaves: what the program is at, and what of it is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A scan of a Nextcloud: one account's list of shares.
    NextcloudScan,
    /// A scan of a tenant: one drive's list of changes.
    MicrosoftScan,
    /// A scan of a tenant: the token.
    SignIn,
    /// An apply at a Nextcloud: the share, where it is read.
    NextcloudLook,
    /// The same: the answer to the change.
    NextcloudChange,
    /// An apply at a tenant: the share, where it is read.
    MicrosoftLook,
    /// The same: the answer to the change.
    MicrosoftChange,
}

impl Column {
    pub(super) const ALL: [Self; 7] = [
        Self::NextcloudScan,
        Self::MicrosoftScan,
        Self::SignIn,
        Self::NextcloudLook,
        Self::NextcloudChange,
        Self::MicrosoftLook,
        Self::MicrosoftChange,
    ];

    pub(super) fn is_nextcloud(self) -> bool {
        matches!(
            self,
            Self::NextcloudScan | Self::NextcloudLook | Self::NextcloudChange
        )
    }

    pub(super) fn is_scan(self) -> bool {
        matches!(self, Self::NextcloudScan | Self::MicrosoftScan | Self::SignIn)
    }

    pub(super) fn is_look(self) -> bool {
        matches!(self, Self::NextcloudLook | Self::MicrosoftLook)
    }

    /// Whether a request is the one that is answered badly.
    pub(super) fn place(self) -> fn(&Asked) -> bool {
        match self {
            Self::NextcloudScan => {
                |asked| asked.path.ends_with("api/v1/shares") && asked.account().as_deref() == Some("alice")
            }
            Self::MicrosoftScan => {
                |asked| asked.path.ends_with("/delta") && asked.path.contains(ALICES_DRIVE)
            }
            Self::SignIn => |asked| asked.path.ends_with("/token"),
            Self::NextcloudLook => |asked| asked.path.ends_with("/api/v1/shares/1") && asked.method == "GET",
            Self::NextcloudChange => {
                |asked| asked.path.ends_with("/api/v1/shares/1") && asked.method == "PUT"
            }
            Self::MicrosoftLook => |asked| asked.path.ends_with("000000000001") && asked.method == "GET",
            Self::MicrosoftChange => |asked| asked.path.ends_with("000000000001") && asked.method == "PATCH",
        }
    }
}

/// What has to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// A scan is incomplete, and names what was not read by one of these codes.
    Told(&'static [&'static str]),
    /// Nothing: everything is as if all had gone well.
    Nothing,
    /// An action on the share has this receipt.
    Receipt(&'static str),
    /// No action is begun: the run stops before the first.
    Stopped,
    /// It cannot happen there, and why.
    Cannot(&'static str),
}

/// One way to misbehave.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) twist: Twist,
    comes: [Comes; 7],
    /// Whether time is what is played with: the program is told to wait for little.
    pub(super) hasty: bool,
    /// Whether what is asked is kept from the service.
    pub(super) kept_back: bool,
    /// Another place than the columns'.
    pub(super) place: Option<fn(&Asked) -> bool>,
    /// In the columns of changes, it is the share that is spoilt where it is read back.
    pub(super) read_back: bool,
}

impl Row {
    pub(super) fn comes(&self, column: Column) -> Comes {
        self.comes[column as usize]
    }

    fn set(mut self, columns: &[Column], comes: Comes) -> Self {
        for column in columns {
            self.comes[*column as usize] = comes;
        }
        self
    }

    /// What all scans say.
    fn told(self, codes: &'static [&'static str]) -> Self {
        let scans = [Column::NextcloudScan, Column::MicrosoftScan, Column::SignIn];
        self.set(&scans, Comes::Told(codes))
    }

    fn nextcloud(self, codes: &'static [&'static str]) -> Self {
        self.set(&[Column::NextcloudScan], Comes::Told(codes))
    }

    fn microsoft(self, codes: &'static [&'static str]) -> Self {
        self.set(&[Column::MicrosoftScan], Comes::Told(codes))
    }

    fn sign_in(self, codes: &'static [&'static str]) -> Self {
        self.set(&[Column::SignIn], Comes::Told(codes))
    }

    fn look(self, receipt: &'static str) -> Self {
        self.set(
            &[Column::NextcloudLook, Column::MicrosoftLook],
            Comes::Receipt(receipt),
        )
    }

    fn change(self, receipt: &'static str) -> Self {
        self.set(
            &[Column::NextcloudChange, Column::MicrosoftChange],
            Comes::Receipt(receipt),
        )
    }

    fn receipt(self, column: Column, receipt: &'static str) -> Self {
        self.set(&[column], Comes::Receipt(receipt))
    }

    fn harmless(self, columns: &[Column]) -> Self {
        self.set(columns, Comes::Nothing)
    }

    fn cannot(self, columns: &[Column], why: &'static str) -> Self {
        self.set(columns, Comes::Cannot(why))
    }

    fn hasty(self) -> Self {
        Self { hasty: true, ..self }
    }
}

/// A misbehaviour after which an answer means nothing: a scan calls it malformed, nothing is changed on the strength of
/// it, and a change is looked after.
fn row(what: &'static str, twist: Twist) -> Row {
    let row = Row {
        what,
        twist,
        comes: [Comes::Nothing; 7],
        hasty: false,
        kept_back: false,
        place: None,
        read_back: false,
    };
    row.told(&["malformed"]).look("failed").change("applied")
}

fn answer(what: &'static str, change: fn(&mut super::front::Answer, &super::front::Hit<'_>)) -> Row {
    row(what, Twist::Answer(change))
}

fn wire(what: &'static str, bytes: fn(&super::front::Answer, &super::front::Hit<'_>) -> Vec<u8>) -> Row {
    row(what, Twist::Wire(bytes))
}

/// A group of rows, and what they have in common.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) rows: Vec<Row>,
}

const LOOKS: [Column; 2] = [Column::NextcloudLook, Column::MicrosoftLook];
const CHANGES: [Column; 2] = [Column::NextcloudChange, Column::MicrosoftChange];
const APPLIES: [Column; 4] = [
    Column::NextcloudLook,
    Column::NextcloudChange,
    Column::MicrosoftLook,
    Column::MicrosoftChange,
];
const NEXTCLOUD: [Column; 3] = [
    Column::NextcloudScan,
    Column::NextcloudLook,
    Column::NextcloudChange,
];
const MICROSOFT: [Column; 4] = [
    Column::MicrosoftScan,
    Column::SignIn,
    Column::MicrosoftLook,
    Column::MicrosoftChange,
];
const SCANS: [Column; 3] = [Column::NextcloudScan, Column::MicrosoftScan, Column::SignIn];

/// Everything that is tried.
pub(super) fn groups() -> Vec<Group> {
    let group = |name, rows| Group { name, rows };
    vec![
        group("Status", statuses()),
        group("Refused changes, done or not", refusals()),
        group("Headers", headers()),
        group("Body", bodies()),
        group("JSON", documents()),
        group("Time and length", times()),
        group("Paging", paging()),
        group("Redirects", redirects()),
        group("TLS", secured()),
        group("Lies", lies()),
    ]
}

fn statuses() -> Vec<Row> {
    vec![
        row(
            "`100 Continue` without end",
            Twist::Endless(by::nothing, by::go_on, 100),
        )
        .hasty()
        .told(&["unreachable", "time-limit", "malformed"]),
        wire(
            "`103 Early Hints` three times, then the right answer",
            by::early_hints,
        )
        .harmless(&Column::ALL),
        wire("`101 Switching Protocols`", by::switching).microsoft(&["server-error"]),
        answer("`204 No Content`", by::no_content),
        answer("`206 Partial Content`", by::partial),
        answer("`304 Not Modified`", by::not_modified).microsoft(&["server-error"]),
        answer("`400` without a reason", by::bad_request)
            .microsoft(&["server-error"])
            .change("already-done"),
        answer("`401`, whatever the credential", by::unauthorized)
            .told(&["unauthorized"])
            .sign_in(&["malformed"])
            .look("refused")
            .receipt(Column::NextcloudChange, "failed")
            .receipt(Column::MicrosoftChange, "already-done"),
        answer("`403` without a reason", by::forbidden)
            .told(&["forbidden"])
            .sign_in(&["malformed"])
            .look("refused")
            .change("already-done"),
        answer("`404` with a web page", by::not_found)
            .nextcloud(&["forbidden"])
            .microsoft(&["server-error"])
            .receipt(Column::NextcloudLook, "refused")
            .change("already-done"),
        answer("`408`", by::timeout).microsoft(&["server-error"]),
        answer("`418`", by::teapot)
            .microsoft(&["server-error"])
            .change("already-done"),
        answer("`429` without a time", by::throttled)
            .told(&["throttled"])
            .change("already-done"),
        row(
            "`429` for a second, twice",
            Twist::Passing(2, by::throttled_for_a_second),
        )
        .harmless(&SCANS)
        .harmless(&LOOKS)
        .change("already-done"),
        answer("`429` for a year", by::throttled_for_a_year)
            .told(&["throttled"])
            .change("failed"),
        answer("`429` for 10^31 seconds", by::throttled_for_ever)
            .told(&["throttled"])
            .change("failed"),
        row(
            "`429` until `-5`, 1994 or `soon`",
            Twist::Passing(3, by::throttled_into_the_past),
        )
        .harmless(&SCANS)
        .harmless(&LOOKS)
        .change("already-done"),
        answer("`500` with a web page", by::failing).told(&["server-error"]),
        answer("`500` with the right body", by::failing_with_good_words).told(&["server-error"]),
        answer("`501`", by::not_implemented).told(&["server-error"]),
        answer("`502`", by::bad_gateway).told(&["server-error"]),
        row(
            "`503` for a second, twice",
            Twist::Passing(2, by::unavailable_for_a_second),
        )
        .harmless(&SCANS)
        .harmless(&LOOKS)
        .change("already-done"),
        answer("`504`", by::gateway_timeout).told(&["server-error"]),
        answer("`799`", by::unknown_status).microsoft(&["server-error"]),
        answer("`200` around an error of the service", by::error_as_success),
        wire("a status that is no number", by::status_is_no_number).told(&["unreachable"]),
    ]
}

/// What is kept from the service, and answered by somebody else.
fn refusals() -> Vec<Row> {
    let kept = |what, twist, receipt| {
        let row = row(what, twist).change(receipt);
        let row = row
            .cannot(&SCANS, "nothing is changed")
            .cannot(&LOOKS, "nothing is changed");
        Row {
            kept_back: true,
            ..row
        }
    };
    vec![
        kept(
            "not done, and `200` with a web page",
            Twist::Answer(by::page),
            "failed",
        ),
        kept(
            "not done, and said to be done",
            Twist::Answer(by::said_to_be_done),
            "failed",
        ),
        kept("not done, `403`", Twist::Answer(by::forbidden), "refused"),
        kept("not done, `408`", Twist::Answer(by::timeout), "failed"),
        kept(
            "not done, `429` for a second, twice",
            Twist::Passing(2, by::throttled_for_a_second),
            "applied",
        ),
        kept(
            "not done, `429` for a second, for ever",
            Twist::Answer(by::throttled_for_a_second),
            "failed",
        ),
        kept(
            "not done, `429` without a time, once",
            Twist::Passing(1, by::throttled),
            "applied",
        ),
        kept(
            "not done, `429` for a year",
            Twist::Answer(by::throttled_for_a_year),
            "failed",
        ),
        kept("not done, `500`", Twist::Answer(by::failing), "failed"),
        kept("not done, `502`", Twist::Answer(by::bad_gateway), "failed"),
        kept(
            "not done, `503` for a second, once",
            Twist::Passing(1, by::unavailable_for_a_second),
            "applied",
        ),
        kept(
            "not done, a redirect",
            Twist::Answer(by::temporarily_elsewhere),
            "failed",
        ),
        kept("not done, the connection is reset", Twist::Resets, "failed"),
        kept("not done, and silence", Twist::Stalls(by::nothing), "failed").hasty(),
    ]
}

fn headers() -> Vec<Row> {
    vec![
        wire("no head at all (HTTP/0.9)", by::old_http).told(&["unreachable"]),
        wire("the greeting of a mail server", by::other_protocol).told(&["unreachable"]),
        row(
            "a header line without end",
            Twist::Endless(by::begun_head, by::letters, 0),
        )
        .told(&["unreachable"]),
        row(
            "headers without end",
            Twist::Endless(by::begun_head, by::more_headers, 0),
        )
        .told(&["unreachable"]),
        answer("500 headers", by::many_headers).told(&["unreachable"]),
        answer("a header of 1 MiB", by::long_header).told(&["unreachable"]),
        wire("two lengths that differ", by::two_lengths).told(&["unreachable"]),
        wire("a length and chunks", by::length_and_chunks),
        wire("a negative length", by::negative_length).told(&["unreachable"]),
        wire("a length of 10^30", by::boundless_length).told(&["unreachable"]),
        wire("a length that is too great", by::length_too_great).told(&["truncated"]),
        wire("a length that is too small", by::length_too_small).nextcloud(&["truncated"]),
        wire("forged answers behind the right one", by::forged_answer_behind).harmless(&Column::ALL),
        wire("a header with NUL in it", by::bad_header).told(&["unreachable"]),
        wire("a header without a colon", by::header_without_colon).told(&["unreachable"]),
        answer("the media type of a web page", by::wrong_type).harmless(&NEXTCLOUD),
        answer("no media type", by::no_type)
            .harmless(&NEXTCLOUD)
            .harmless(&[Column::SignIn]),
        answer("the charset `utf-16`, and UTF-8", by::charset_of_another).harmless(&Column::ALL),
        answer("packed by an unknown method", by::unknown_packing),
        answer("sixty cookies", by::cookies).harmless(&Column::ALL),
        answer(
            "`Location`, `Refresh`, `Link`, `Alt-Svc` to another origin",
            by::pointers_elsewhere,
        )
        .harmless(&Column::ALL),
        answer("the answer is for another account", by::other_account).cannot(&MICROSOFT, "tells no account"),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        answer("empty", by::empty).nextcloud(&["truncated", "malformed"]),
        answer("its first half, as if it were all", by::half).nextcloud(&["truncated", "malformed"]),
        wire("cut off", by::cut).told(&["truncated"]),
        answer("a web page to sign in at", by::page),
        answer("XML with entities", by::xml),
        wire("cut off while unpacked", by::cut_packing).told(&["truncated"]),
        answer("garbled while unpacked", by::garbled_packing).told(&["truncated", "malformed"]),
        row(
            "GZIP of blanks without end",
            Twist::Endless(by::begun_packing, by::packed_piece, 0),
        )
        .hasty()
        .told(&["too-large", "time-limit", "malformed"]),
        wire("a chunk whose length is none", by::bad_chunk),
        wire("a chunk of 2^68 bytes", by::boundless_chunk),
        wire("no last chunk", by::no_last_chunk).told(&["truncated"]),
        row(
            "trailers without end",
            Twist::Endless(by::begun_chunks, by::more_trailers, 0),
        )
        .hasty()
        .told(&["truncated", "time-limit", "malformed"]),
        row(
            "letters without end",
            Twist::Endless(by::begun_text, by::chunk_of_letters, 0),
        )
        .hasty()
        .told(&["too-large", "time-limit", "malformed"]),
        row(
            "blanks without end",
            Twist::Endless(by::begun_list, by::chunk_of_blanks, 0),
        )
        .hasty()
        .told(&["too-large", "time-limit", "malformed"]),
        row(
            "elements without end",
            Twist::Endless(by::begun_list, by::chunk_of_things, 0),
        )
        .hasty()
        .told(&["too-large", "time-limit", "malformed"]),
    ]
}

fn documents() -> Vec<Row> {
    let share = &["malformed-share"];
    // Whatever the body of an answer to a change says, the share is read back.
    let body = |what, change| answer(what, change).cannot(&CHANGES, "as `null`");
    // The permission that is read tells no names and no numbers.
    let unnamed = |row: Row| row.cannot(&[Column::MicrosoftLook], "has none");
    vec![
        answer("`null`", by::null),
        body("a text", by::only_text),
        body("the right answer in a list", by::in_a_list),
        body("lists in place of objects", by::lists_for_objects).nextcloud(share),
        body("nested 200,000 deep", by::deep).sign_in(&["too-large"]),
        body("a second document behind the first", by::more_after_the_end).harmless(&[Column::SignIn]),
        body("a byte order mark", by::byte_order_mark),
        body("UTF-16", by::wide_text),
        unnamed(body("bytes that are no UTF-8 in names", by::invalid_text))
            .nextcloud(share)
            .harmless(&[Column::MicrosoftScan]),
        unnamed(body("NUL and controls in names", by::raw_controls)).nextcloud(share),
        unnamed(body("lone surrogates in names", by::lone_surrogates)).nextcloud(share),
        unnamed(body(
            "names that steer terminals, mail and pages",
            by::hostile_names,
        ))
        .harmless(&[
            Column::NextcloudScan,
            Column::MicrosoftScan,
            Column::NextcloudLook,
        ]),
        body("every key of an id twice", by::keys_twice).harmless(&[
            Column::NextcloudScan,
            Column::NextcloudLook,
            Column::MicrosoftLook,
        ]),
        unnamed(body("numbers of 400 digits", by::huge_numbers)).nextcloud(share),
        unnamed(body("numbers of 10^400", by::infinite_numbers)).nextcloud(share),
        unnamed(body("numbers of -2^63", by::negative_numbers))
            .cannot(&[Column::NextcloudScan], "each field by itself, in `coverage.rs`")
            .receipt(Column::NextcloudLook, "drifted"),
        unnamed(body("`NaN` in place of numbers", by::no_numbers)).nextcloud(share),
        body("other types everywhere", by::other_types)
            .cannot(&[Column::NextcloudScan], "each field by itself, in `coverage.rs`"),
        body("empty objects", by::fields_missing).nextcloud(share),
        body("no ids", by::ids_missing).nextcloud(share),
        body("everything twice", by::twice)
            .harmless(&[Column::NextcloudScan, Column::MicrosoftScan])
            .cannot(&[Column::SignIn, Column::MicrosoftLook], "is one"),
        body("one id for all", by::one_id_for_two)
            .nextcloud(share)
            .cannot(&[Column::MicrosoftScan], "the last one counts")
            .cannot(&[Column::SignIn], "is one")
            .cannot(&LOOKS, "is one"),
    ]
}

fn times() -> Vec<Row> {
    vec![
        row("silence", Twist::Stalls(by::nothing))
            .hasty()
            .told(&["time-limit", "unreachable"]),
        row("silence within the head", Twist::Stalls(by::begun_head))
            .hasty()
            .told(&["time-limit", "unreachable"]),
        row("silence within the body", Twist::Stalls(by::begun_body))
            .hasty()
            .told(&["time-limit", "unreachable"]),
        row(
            "a head that trickles for ever",
            Twist::Endless(by::begun_head, by::one_letter, 200),
        )
        .hasty()
        .told(&["time-limit", "unreachable"]),
        row(
            "a body that trickles for ever",
            Twist::Endless(by::begun_list, by::small_chunk, 200),
        )
        .hasty()
        .told(&["time-limit", "unreachable"]),
        row("the end of the connection", Twist::Closes).told(&["unreachable"]),
        row("a reset of the connection", Twist::Resets).told(&["unreachable"]),
    ]
}

fn paging() -> Vec<Row> {
    let graph = |what, change| {
        answer(what, change)
            .cannot(&[Column::NextcloudScan], "no such pages")
            .cannot(&[Column::SignIn], "no pages")
            .cannot(&APPLIES, "no pages")
    };
    vec![
        graph("the next page is this one", by::next_is_this),
        graph("three pages in a circle", by::next_goes_round),
        graph("empty pages without end", by::next_without_end),
        row(
            "new things on pages without end",
            Twist::Answer(by::new_things_without_end),
        )
        .hasty()
        .microsoft(&["time-limit", "too-large"])
        .cannot(&[Column::NextcloudScan], "no such pages")
        .cannot(&[Column::SignIn], "no pages")
        .cannot(&APPLIES, "no pages"),
        graph("the next page at another origin", by::next_elsewhere).microsoft(&["redirected"]),
        graph(
            "the next page by `https` instead of `http`",
            by::next_by_another_scheme,
        )
        .microsoft(&["redirected"]),
        graph(
            "the next page at `this-host@another-host`",
            by::next_behind_a_name,
        )
        .microsoft(&["redirected"]),
        graph("the next page with a name and a password", by::next_as_somebody).microsoft(&[
            "server-error",
            "malformed",
            "redirected",
        ]),
        graph("the next page in `file:`", by::next_is_a_file).microsoft(&["redirected"]),
        graph("the next page without an origin", by::next_is_relative),
        graph("the next page is a list", by::next_is_no_text),
        graph("an address of 2 MiB for the next page", by::next_is_long).microsoft(&[
            "malformed",
            "unreachable",
            "server-error",
        ]),
        graph("neither a next page nor the last", by::no_end_told).microsoft(&["truncated"]),
        graph("changes are to be asked of another origin", by::changes_elsewhere).microsoft(&["redirected"]),
        Row {
            place: Some(|asked| asked.path.ends_with("cloud/users/details")),
            ..answer("the same 500 accounts on every page", by::one_page_again)
                .cannot(&[Column::MicrosoftScan], "no such pages")
                .cannot(&[Column::SignIn], "no pages")
                .cannot(&APPLIES, "no pages")
        },
    ]
}

fn redirects() -> Vec<Row> {
    let redirect = |what, change| answer(what, change).told(&["redirected"]);
    vec![
        redirect("`301` to the same address", by::to_itself),
        redirect("`301` to `https` instead of `http`", by::to_another_scheme),
        redirect("`302` to another origin", by::found_elsewhere),
        redirect("`302` to `file:`", by::to_a_file),
        redirect("`303` to nowhere", by::to_nowhere),
        redirect("`307` to another origin", by::temporarily_elsewhere),
        redirect("`308` to `known-host@another-host`", by::permanently_elsewhere),
        redirect("`300`: another origin to choose", by::choices),
        redirect("`305`: another origin as a proxy", by::use_proxy),
    ]
}

fn secured() -> Vec<Row> {
    let untrusted = |what, tls| {
        row(what, Twist::Tls(tls))
            .told(&["tls-failed"])
            .look("failed")
            .cannot(&CHANGES, "nothing is changed before")
    };
    vec![
        untrusted("a certificate for another host", Tls::WrongHost),
        untrusted("a certificate that has expired", Tls::Expired),
        untrusted("a certificate that is not valid yet", Tls::NotYet),
        untrusted("a certificate that signed itself", Tls::SelfSigned),
        untrusted("a certificate of an unknown authority", Tls::Stranger),
        untrusted("TLS 1.1 is chosen", Tls::Old),
        untrusted("only TLS before 1.2", Tls::OnlyOlder),
        untrusted("TLS 1.3 made into TLS 1.2 on the way", Tls::Downgrade),
        untrusted("HTTP on the port of HTTPS", Tls::Plain),
        untrusted("noise in place of TLS", Tls::Noise),
        untrusted("the end of the connection in the handshake", Tls::Closes)
            .told(&["unreachable", "tls-failed"]),
        row(
            "an end without TLS's own farewell",
            Twist::Secured(by::without_farewell),
        )
        .told(&["truncated"])
        .cannot(&[Column::MicrosoftScan], "its addresses are others"),
        untrusted("silence in the handshake", Tls::Silent)
            .hasty()
            .told(&["unreachable", "time-limit"]),
    ]
}

fn lies() -> Vec<Row> {
    let lie = |what, change| answer(what, change).cannot(&SCANS, "is about one share");
    vec![
        lie("another share than the one that was asked for", by::wrong_id)
            .cannot(&CHANGES, "its answer is not believed"),
        Row {
            read_back: true,
            ..lie(
                "another field is said to have changed, too",
                by::said_to_be_wider_later,
            )
            .change("failed")
            .cannot(&LOOKS, "it would be `drifted`")
        },
        Row {
            read_back: true,
            ..lie("another share is read back", by::wrong_id_later)
                .change("failed")
                .cannot(&LOOKS, "is the row above")
        },
        Row {
            place: Some(|_| true),
            ..answer("a clock that is 21 years ahead", by::clock_years_ahead)
                .harmless(&SCANS)
                .set(&LOOKS, Comes::Stopped)
                .cannot(&CHANGES, "nothing is changed")
        },
        answer("a clock that is none", by::clock_broken).harmless(&Column::ALL),
    ]
}
