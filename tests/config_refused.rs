//! What is wrong is refused with its place and a remedy: the screens, as they are printed.

use std::path::Path;

use proptest::prelude::*;
use sharewarden::config::{self, Style};

/// A source that nothing is wrong with.
const GOOD: &str = r#"
[[source]]
name = "cloud"
kind = "nextcloud"
url = "https://cloud.example.org"
auth = { method = "login" }
"#;

/// The screen for a configuration with this in it.
fn refused(text: &str) -> String {
    let text = format!("{text}{GOOD}");
    let now = "2026-11-23T02:00:00Z".parse().unwrap();
    let report = config::parse(Path::new("config.toml"), &text, now).expect_err("refused");
    report.render(Style::Plain)
}

#[test]
fn what_the_schema_refuses() {
    insta::assert_snapshot!(refused(
        r#"[policy]
max_expire = "90d"
[shedule]
[banana]
"#
    ), @r##"
    error: unknown key `max_expire` in `policy`
     --> config.toml:2:1
      |
    2 | max_expire = "90d"
      | ^^^^^^^^^^ not known here
      |
      = help: did you mean `max_expiry`?

    error: unknown key `shedule` in the configuration
     --> config.toml:3:2
      |
    3 | [shedule]
      |  ^^^^^^^ not known here
      |
      = help: did you mean `schedule`?

    error: unknown key `banana` in the configuration
     --> config.toml:4:2
      |
    4 | [banana]
      |  ^^^^^^ not known here
      |
      = help: known here: defaults, enforce, export, gap, identity, mail, policy, schedule, source, state, waiver

    3 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[policy]
internal_domains = "example.org"
evidence = "yes"
wide_group_size = 0
max_expiry = 90
"#
    ), @r##"
    error: `internal_domains` has to be a list of strings
     --> config.toml:2:20
      |
    2 | internal_domains = "example.org"
      |                    ^^^^^^^^^^^^^ this is a string
      |
      = help: put it in brackets: `["…"]`

    error: `evidence` has to be true or false
     --> config.toml:3:12
      |
    3 | evidence = "yes"
      |            ^^^^^ this is a string
      |
      = help: without quotes

    error: `wide_group_size` is out of range
     --> config.toml:4:19
      |
    4 | wide_group_size = 0
      |                   ^ out of range
      |
      = help: 1 or more

    error: `max_expiry` has to be a string
     --> config.toml:5:14
      |
    5 | max_expiry = 90
      |              ^^ this is a whole number
      |
      = help: put it in quotes

    4 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[policy.levels]
link-without-pasword = "high"
external-recipient = "urgent"
"#
    ), @r##"
    error: unknown name `link-without-pasword` in `levels`
     --> config.toml:2:1
      |
    2 | link-without-pasword = "high"
      | ^^^^^^^^^^^^^^^^^^^^ not known here
      |
      = help: did you mean `link-without-password`?

    error: `external-recipient` cannot be `urgent`
     --> config.toml:3:22
      |
    3 | external-recipient = "urgent"
      |                      ^^^^^^^^ not known
      |
      = help: `external-recipient` is one of: off, info, low, medium, high, critical

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[waiver]
finding = "x"
"#
    ), @r##"
    error: `waiver` has to be a list of tables
     --> config.toml:1:1
      |
    1 | [waiver]
      | ^^^^^^^^ this is a table
      |
      = help: write its header in two pairs of brackets, `[[waiver]]`

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[mail]
transport = { kind = "smpt", host = "mail.example.org" }
attach = "zip"
"#
    ), @r##"
    error: `kind` cannot be `smpt`
     --> config.toml:2:22
      |
    2 | transport = { kind = "smpt", host = "mail.example.org" }
      |                      ^^^^^^ not known
      |
      = help: did you mean "smtp"?
      = help: `kind` is one of: smtp, graph, files

    error: `attach` cannot be `zip`
     --> config.toml:3:10
      |
    3 | attach = "zip"
      |          ^^^^^ not known
      |
      = help: `attach` is one of: none, csv

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[mail]
transport = { kind = "files", directory = "out", host = "mail.example.org" }
from = ""
"#
    ), @r##"
    error: unknown key `host` in `transport` with `kind = "files"`
     --> config.toml:2:50
      |
    2 | transport = { kind = "files", directory = "out", host = "mail.example.org" }
      |                                                  ^^^^ not known here
      |
      = help: known here: directory, kind
      = help: it belongs to `kind = "smtp"`

    error: `from` is empty
     --> config.toml:3:8
      |
    3 | from = ""
      |        ^^ nothing in it
      |
      = help: give a value, or take the key out

    2 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_wrong_with_sources() {
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "nc"
"#
    ), @r##"
    error: `kind` is missing in `source`
     --> config.toml:1:1
      |
    1 | [[source]]
      | ^^^^^^^^^^ has no `kind`
      |
      = help: `kind` is one of: nextcloud, microsoft365

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "nc"
kind = "nextcloud"
"#
    ), @r##"
    error: `url` is missing in the source `nc`
     --> config.toml:1:1
      |
    1 | [[source]]
      | ^^^^^^^^^^ has no `url`
      |
      = help: add `url = "https://cloud.example.org"`

    error: `auth` is missing in the source `nc`
     --> config.toml:1:1
      |
    1 | [[source]]
      | ^^^^^^^^^^ has no `auth`
      |
      = help: add `auth = { method = "app-password", user = "alice", password = { env = "NC_PASSWORD" } }`

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "cloud"
kind = "nextcloud"
url = "http://cloud.example.org"
auth = { method = "app-password", user = "a" }
tenant = "x"
"#
    ), @r##"
    error: `url`: plain http would send credentials in the clear
     --> config.toml:4:7
      |
    4 | url = "http://cloud.example.org"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: write https; http is for this machine only (localhost, 127.0.0.0/8, ::1)

    error: `password` is missing in `auth` with `method = "app-password"`
     --> config.toml:5:8
      |
    5 | auth = { method = "app-password", user = "a" }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ has no `password`
      |
      = help: `password`: The app password.

    error: unknown key `tenant` in `source` with `kind = "nextcloud"`
     --> config.toml:6:1
      |
    6 | tenant = "x"
      | ^^^^^^ not known here
      |
      = help: known here: auth, ca_file, disabled_accounts, enforce, enforce_auth, exclude, hide_disabled_user_shares, kind, limits, name, proxy, statistics_token, url
      = help: it belongs to `kind = "microsoft365"`

    error: two sources are called `cloud`
     --> config.toml:9:8
      |
    2 | name = "cloud"
      |        ------- the first
    ...
    9 | name = "cloud"
      |        ^^^^^^^ the second
      |
      = help: give one of them another name; a new name makes its findings new ones

    4 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "../x"
kind = "nextcloud"
url = "https://me:hunter2@cloud.example.org"
auth = { method = "login" }
exclude = { users = ["[a"] }
"#
    ), @r##"
    error: `name`: `../x` cannot name a source
     --> config.toml:2:8
      |
    2 | name = "../x"
      |        ^^^^^^ here
      |
      = help: use letters, digits, `-`, `_` and `.`, a letter or digit first, 64 at most

    error: `url`: credentials do not belong into an address
     --> config.toml:4:7
      |
    4 | url = "https://**********@cloud.example.org"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: take out what stands before the `@`; credentials go into `auth`, as references

    error: `users`: `[a` is no pattern: unclosed character class; missing ']'
     --> config.toml:6:22
      |
    6 | exclude = { users = ["[a"] }
      |                      ^^^^ here
      |
      = help: `*` stands for any text, `**` for folders, `?` for one sign, `[ab]` for one of several, `{a,b}` for one of several texts; a backslash takes the next sign as it is

    3 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "m365"
kind = "microsoft365"
tenant = "contoso"
client_id = "x"
auth = { method = "device-code" }
include = []
"#
    ), @r##"
    error: `include` is empty: nothing would be read
     --> config.toml:1:1
      |
    1 | [[source]]
      | ^^^^^^^^^^ has no `include`
      |
      = help: write `include = ["onedrive", "sites"]`

    error: `tenant`: `contoso` is no tenant
     --> config.toml:4:10
      |
    4 | tenant = "contoso"
      |          ^^^^^^^^^ here
      |
      = help: write the tenant's id or one of its domains, such as "contoso.onmicrosoft.com"

    error: `client_id`: `x` is no application's id
     --> config.toml:5:13
      |
    5 | client_id = "x"
      |             ^^^ here
      |
      = help: write it as the app's registration shows it: "11111111-2222-3333-4444-555555555555"

    3 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[defaults.nextcloud]
name = "x"
limits = { in_flight = 0, requests_per_second = -1 }
"#
    ), @r##"
    error: unknown key `name` in `nextcloud`
     --> config.toml:2:1
      |
    2 | name = "x"
      | ^^^^ not known here
      |
      = help: known here: auth, ca_file, disabled_accounts, enforce, enforce_auth, exclude, hide_disabled_user_shares, limits, proxy, statistics_token, url

    error: `in_flight` is out of range
     --> config.toml:3:24
      |
    3 | limits = { in_flight = 0, requests_per_second = -1 }
      |                        ^ out of range
      |
      = help: from 1 to 64

    error: `requests_per_second` is out of range
     --> config.toml:3:49
      |
    3 | limits = { in_flight = 0, requests_per_second = -1 }
      |                                                 ^^ out of range
      |
      = help: from 0.01 to 1000

    3 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_wrong_with_secrets() {
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "nc"
kind = "nextcloud"
url = "https://nc.example.org"
auth = { method = "app-password", user = "a", password = "hunter2" }
"#
    ), @r##"
    error: `password` is a secret: it is not written into the configuration
     --> config.toml:5:58
      |
    5 | auth = { method = "app-password", user = "a", password = "*******" }
      |                                                          ^^^^^^^^^ a value, where a reference is wanted
      |
      = help: refer to it: `password = { file = "/etc/sharewarden/password" }` (readable by its owner only), `{ env = "NAME" }`, `{ credential = "name" }` or `{ command = ["program", "argument"] }`
      = help: and change the secret if others could have read this file

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "nc"
kind = "nextcloud"
url = "https://nc.example.org"
auth = { method = "app-password", user = "a", password = { evn = "hunter2" } }
statistics_token = { env = "A", file = "b" }
"#
    ), @r##"
    error: unknown key `evn` in `password`
     --> config.toml:5:60
      |
    5 | auth = { method = "app-password", user = "a", password = { evn = "*******" } }
      |                                                            ^^^ not known here
      |
      = help: did you mean `env`?

    error: `statistics_token` must say exactly one of: env, file, credential, command
     --> config.toml:6:20
      |
    6 | statistics_token = { env = "A", file = "b" }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^ says 2 of them

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[source]]
name = "nc"
kind = "nextcloud"
url = "https://nc.example.org"
auth = { method = "app-password", user = "a", password = { env = "hunter-2!" } }
statistics_token = { command = [] }
"#
    ), @r##"
    error: `env` names no variable of the environment
     --> config.toml:5:58
      |
    5 | auth = { method = "app-password", user = "a", password = { env = "*********" } }
      |                                                          ^^^^^^^^^^^^^^^^^^^^^ not a variable's name
      |
      = help: give the variable's name, never the secret itself: `{ env = "NC_PASSWORD" }`

    error: `command` is empty
     --> config.toml:6:20
      |
    6 | statistics_token = { command = [] }
      |                    ^^^^^^^^^^^^^^^^ nothing to run
      |
      = help: name a program and its arguments: `{ command = ["pass", "show", "nextcloud"] }`

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r"[source.auth]
password = hunter2
"
    ), @r##"
    error: string values must be quoted, expected literal string
     --> config.toml:2:12
      |
    2 | password =********
      |            ^^^^^^^
      |
      = help: this is no TOML; config.example.toml shows how every key is written

    error: duplicate key
     --> config.toml:4:3
      |
    4 | [[source]]
      |   ^^^^^^
      |
      = help: this is no TOML; config.example.toml shows how every key is written

    2 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_wrong_with_exceptions() {
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
rule = "link-without-expiry"
owner = "alice"
reason = "x"
approved_by = "y"
"#
    ), @r##"
    error: `until` is missing in `waiver`
     --> config.toml:1:1
      |
    1 | [[waiver]]
      | ^^^^^^^^^^ has no `until`
      |
      = help: `until`: The last day on which it holds, at most `max_waiver` ahead.

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
owner = "alice"
reason = "x"
approved_by = "y"
until = 2029-01-01
"#
    ), @r##"
    error: `until` is further ahead than `max_waiver` allows
     --> config.toml:5:9
      |
    5 | until = 2029-01-01
      |         ^^^^^^^^^^ too far ahead
      |
      = help: 2027-11-23 at most, today; or raise `max_waiver` in [policy]

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
owner = "alice"
reason = "x"
approved_by = "y"
until = "2027-01-01"
"#
    ), @r##"
    error: `until` is a day
     --> config.toml:5:9
      |
    5 | until = "2027-01-01"
      |         ^^^^^^^^^^^^ not a day
      |
      = help: write year, month and day without quotes: `until = 2027-03-31`

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
path = "/Public/**"
reason = "x"
approved_by = "y"
until = 2027-03-31
"#
    ), @r##"
    error: this waiver is for a path, whoever owns it
     --> config.toml:2:8
      |
    2 | path = "/Public/**"
      |        ^^^^^^^^^^^^ a path alone
      |
      = help: name the `owner` or `site`, or write `all_owners = true` if that is meant

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
rule = "link-without-expiry"
reason = "x"
approved_by = "y"
until = 2027-03-31
"#
    ), @r##"
    error: this waiver names nothing that it is for
     --> config.toml:1:1
      |
    1 | [[waiver]]
      | ^^^^^^^^^^ no finding, share, owner or site
      |
      = help: name a `finding`, a `share`, an `owner` or a `site`; a `path` alone needs `all_owners = true`

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[waiver]]
finding = "17"
reason = "x"
approved_by = "y"
until = 2027-03-31
"#
    ), @r##"
    error: `finding`: `17` is no finding's id
     --> config.toml:2:11
      |
    2 | finding = "17"
      |           ^^^^ here
      |
      = help: copy the 16 hexadecimal digits from a report

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[gap]]
source = "cloud"
scope = "*"
code = "lokced"
reason = "x"
approved_by = "y"
until = 2027-03-31
"#
    ), @r##"
    error: `code` cannot be `lokced`
     --> config.toml:4:8
      |
    4 | code = "lokced"
      |        ^^^^^^^^ not known
      |
      = help: did you mean "locked"?

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[policy.override]]
owner = "alice"
[[policy.override]]
path = "{a"
mail = false
"#
    ), @r##"
    error: this override changes nothing
     --> config.toml:1:1
      |
    1 | [[policy.override]]
      | ^^^^^^^^^^^^^^^^^^^ has no `level`
      |
      = help: give it a `level`, a `max_expiry`, or `mail = false`

    error: `path`: `{a` is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
     --> config.toml:4:8
      |
    4 | path = "{a"
      |        ^^^^ here
      |
      = help: `*` stands for any text, `**` for folders, `?` for one sign, `[ab]` for one of several, `{a,b}` for one of several texts; a backslash takes the next sign as it is

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[[policy.classify]]
label = "confidential"
"#
    ), @r##"
    error: nothing is classified as `confidential`
     --> config.toml:1:1
      |
    1 | [[policy.classify]]
      | ^^^^^^^^^^^^^^^^^^^ has neither `paths` nor `tags`
      |
      = help: say what is: paths = ["**/HR/**"], tags = ["confidential"]

    1 error in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_wrong_with_values() {
    insta::assert_snapshot!(refused(
        r#"[policy]
max_expiry = "90 bananas"
review_after = "1y"
max_waiver = "0d"
"#
    ), @r##"
    error: `max_expiry`: `90 bananas` is no length of time
     --> config.toml:2:14
      |
    2 | max_expiry = "90 bananas"
      |              ^^^^^^^^^^^^ here
      |
      = help: write a number and a unit, such as "90d", "12h" or "30m"

    error: `review_after`: `1y`: months and years differ in length
     --> config.toml:3:16
      |
    3 | review_after = "1y"
      |                ^^^^ here
      |
      = help: count days instead, such as "30d" or "365d" (minutes are `m` or `min`)

    error: `max_waiver`: no time at all
     --> config.toml:4:14
      |
    4 | max_waiver = "0d"
      |              ^^^^ here
      |
      = help: write a time such as "90d", "12h" or "30m"

    3 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[policy]
internal_domains = ["@example.org"]
internal_servers = ["https://cloud2.example.org"]
own_networks = ["192.0.2.0/33"]
"#
    ), @r##"
    error: `internal_domains`: `@example.org` is no domain
     --> config.toml:2:21
      |
    2 | internal_domains = ["@example.org"]
      |                     ^^^^^^^^^^^^^^ here
      |
      = help: write the domain alone, such as "example.org": sub-domains are included

    error: `internal_servers`: `https://cloud2.example.org` is no server's name
     --> config.toml:3:21
      |
    3 | internal_servers = ["https://cloud2.example.org"]
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: write the host as federated addresses end in it, such as "cloud.example.org"

    error: `own_networks`: `192.0.2.0/33` is no network
     --> config.toml:4:17
      |
    4 | own_networks = ["192.0.2.0/33"]
      |                 ^^^^^^^^^^^^^^ here
      |
      = help: write an address and the number of its leading bits, such as "192.0.2.0/24"

    3 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[enforce]
freeze = ["2027-01-04/2026-12-19"]
[[enforce.rule]]
rule = "link-without-expiry"
action = "set-expiry"
[[enforce.rule]]
rule = "posture-expiry-not-enforced"
action = "revoke"
after = "3d"
"#
    ), @r##"
    error: `freeze`: `2027-01-04/2026-12-19` ends before it begins
     --> config.toml:2:11
      |
    2 | freeze = ["2027-01-04/2026-12-19"]
      |           ^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: write a day, or first and last day: "2026-12-19/2027-01-04"

    error: `action = "set-expiry"` has to say how far ahead
     --> config.toml:3:1
      |
    3 | [[enforce.rule]]
      | ^^^^^^^^^^^^^^^^ has no `after`
      |
      = help: add `after = "30d"`

    error: this rule is about a server's settings, which are never changed
     --> config.toml:7:8
      |
    7 | rule = "posture-expiry-not-enforced"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ about no share
      |
      = help: name a rule that is about shares

    error: `after` is for `action = "set-expiry"`
     --> config.toml:9:9
      |
    9 | after = "3d"
      |         ^^^^ not for `revoke`
      |
      = help: take it out; the time before a change is `grace` in [enforce]

    4 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[schedule]
at = "0 25 * * *"
time_zone = "Europe/Lodnon"
health = "9469"
"#
    ), @r##"
    error: `at`: `25` does not fit in field 2 of `0 25 * * *`
     --> config.toml:2:6
      |
    2 | at = "0 25 * * *"
      |      ^^^^^^^^^^^^ here
      |
      = help: write minute, hour, day of the month, month and day of the week: "0 2 * * *" is 2:00 every day

    error: `time_zone`: `Europe/Lodnon` is no time zone that this machine knows
     --> config.toml:3:13
      |
    3 | time_zone = "Europe/Lodnon"
      |             ^^^^^^^^^^^^^^^ here
      |
      = help: write its IANA name, such as "Europe/London"; they come with the package tzdata

    error: `health`: `9469` is no address to listen on
     --> config.toml:4:10
      |
    4 | health = "9469"
      |          ^^^^^^ here
      |
      = help: write an IP address and a port, such as "127.0.0.1:9469"

    3 errors in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_wrong_with_mail() {
    insta::assert_snapshot!(refused(
        r#"[mail]
mode = "pilot"
"#
    ), @r##"
    error: `mode = "pilot"` in [mail] sends everything to one address, and there is none
     --> config.toml:2:8
      |
    2 | mode = "pilot"
      |        ^^^^^^^ has no `redirect_to`
      |
      = help: add `redirect_to = "it-security@example.org"` to [mail]

    error: letters have no sender
     --> config.toml:2:8
      |
    2 | mode = "pilot"
      |        ^^^^^^^ has no `from`
      |
      = help: add `from = "Share audit <it-security@example.org>"` to [mail], or set its `mode` to "off"

    error: letters have no way to leave
     --> config.toml:2:8
      |
    2 | mode = "pilot"
      |        ^^^^^^^ has no `transport`
      |
      = help: add `transport = { kind = "smtp", host = "mail.example.org" }` to [mail], or set its `mode` to "off"

    error: there is no domain that may be written to
     --> config.toml:2:8
      |
    2 | mode = "pilot"
      |        ^^^^^^^ has no `allowed_domains`
      |
      = help: add `allowed_domains = ["example.org"]` to [mail], or `internal_domains` to [policy]

    4 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[mail]
allowed_domains = ["example.org"]
fallback = "it@elsewhere.example"
from = "Share audit it@example.org"
"#
    ), @r##"
    error: `fallback` is an address that is never written to
     --> config.toml:3:12
      |
    3 | fallback = "it@elsewhere.example"
      |            ^^^^^^^^^^^^^^^^^^^^^^ not in `allowed_domains`
      |
      = help: add "elsewhere.example" to `allowed_domains` in [mail]

    error: `from`: `Share audit it@example.org` is no mail address
     --> config.toml:4:8
      |
    4 | from = "Share audit it@example.org"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: write one address, such as "it-security@example.org"

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[mail.transport]
kind = "smtp"
host = "mail.example.org"
tls = "none"
user = "audit"
"#
    ), @r##"
    error: letters would travel in the clear
     --> config.toml:4:7
      |
    4 | tls = "none"
      |       ^^^^^^ for this machine only
      |
      = help: write "starttls" or "tls"; "none" is for localhost, 127.0.0.0/8 and ::1

    error: an account without a password
     --> config.toml:5:8
      |
    5 | user = "audit"
      |        ^^^^^^^ has no `password`
      |
      = help: add `password = { env = "SMTP_PASSWORD" }`, or take `user` out

    2 errors in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[mail.transport]
kind = "graph"
source = "cloud"
sender = "it@example.org"
"#
    ), @r##"
    error: mail leaves by Microsoft Graph, and this source is no Microsoft 365
     --> config.toml:3:10
      |
    3 | source = "cloud"
      |          ^^^^^^^ of another kind
      |
      = help: name a source of kind "microsoft365"

    1 error in the configuration: nothing was sent
    "##);
}

#[test]
fn what_is_no_toml() {
    insta::assert_snapshot!(refused(
        r#"[policy
max_expiry = "90d"
"#
    ), @r##"
    error: unclosed table, expected `]`
     --> config.toml:1:8
      |
    1 | [policy
      |        ^
      |
      = help: this is no TOML; config.example.toml shows how every key is written

    1 error in the configuration: nothing was sent
    "##);
    insta::assert_snapshot!(refused(
        r#"[policy]
max_expiry = "90d"
max_expiry = "91d"
"#
    ), @r##"
    error: duplicate key
     --> config.toml:3:1
      |
    3 | max_expiry = "91d"
      | ^^^^^^^^^^
      |
      = help: this is no TOML; config.example.toml shows how every key is written

    1 error in the configuration: nothing was sent
    "##);
}

#[test]
fn an_empty_configuration_names_no_source() {
    let report = config::parse(
        Path::new("config.toml"),
        "",
        "2026-11-23T02:00:00Z".parse().unwrap(),
    );
    insta::assert_snapshot!(report.expect_err("refused").render(Style::Plain), @r#"
    error: the configuration names no source
     --> config.toml
      |
      = help: add a [[source]] with `name`, `kind`, `url` and `auth`; config.example.toml is one to start from

    1 error in the configuration: nothing was sent
    "#);
}

#[test]
fn what_steers_a_terminal_is_made_visible() {
    for text in [
        "\u{1b}[31mx = 1\n",
        "\"\u{202e}\" = 1\n",
        "[policy]\nmax_expiry = \"\\u001b[2J\"\n",
        "x\u{7} = 1",
    ] {
        let screen = refused(text);
        assert!(
            screen
                .chars()
                .all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
            "{screen:?}"
        );
    }
}

#[test]
fn garbage_is_refused_soon_and_briefly() {
    let begun = std::time::Instant::now();
    let screen = refused(&"x = [\n]]]= \"".repeat(20_000));
    assert!(screen.len() < 200_000 && screen.contains("the first 100 are shown"));
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn no_screen_tells_a_secret() {
    for text in [
        "auth.password = \"hunter2\"\n[[source]]\npassword = \"hunter2\"\n",
        "[mail]\ntransport = { kind = \"smtp\", host = \"h\", user = \"u\", password = \"hunter2\", nonsense = 1 }\n",
        "[mail]\nbanana = 1\n[mail.transport]\nkind = \"smtp\"\npassword = [\"hunter2\"]\n",
        "[[source]]\nsecret = '''\nhunter2'''\nkind = 1\n",
        "[[source]]\nsecret = \"hunter2\nkind = 1\n",
        "[[source]]\nproxy = \"http://me:hunter2@proxy.example.org\"\n",
        "[[source]]\nauth = { method = \"client-secret\", secret = { env = 'x', hunter = \"hunter2\" } }\n",
        "[[source]]\nstatistics_token = { command = \"hunter2\" }\nkind = \"nextcloud\"\nname = \"x\"\n",
    ] {
        assert!(!refused(text).contains("hunter2"), "{}", refused(text));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(\\PC|[\\[\\]{}=\",.#\n]){0,200}") {
        let _ = config::parse(Path::new("x"), &text, "2026-11-23T02:00:00Z".parse().unwrap()).map_err(|it| it.to_string());
    }

    #[test]
    fn any_value_of_any_key_is_read_without_a_panic(
        table in "policy|mail|enforce|state|schedule|export|source|waiver|defaults.nextcloud|mail.transport",
        key in "max_expiry|internal_domains|freeze|at|health|url|auth|until|from|kind|method|limits|override|path",
        value in "\"[^\"\\\\\\pC]{0,12}\"|-?[0-9]{1,20}|[0-9]{4}-[0-9]{2}-[0-9]{2}|\\[\\]|\\{ kind = \"smtp\" \\}|true|nan",
        double in any::<bool>(),
    ) {
        let header = if double { format!("[[{table}]]") } else { format!("[{table}]") };
        let text = format!("{header}\n{key} = {value}\n");
        let _ = config::parse(Path::new("x"), &text, "2026-11-23T02:00:00Z".parse().unwrap()).map_err(|it| it.to_string());
    }
}
