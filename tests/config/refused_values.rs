//! What is wrong with values is refused with its place and a remedy: the screens as printed.

use super::refused;

#[test]
fn what_is_wrong_with_waivers() {
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
}

#[test]
fn what_is_wrong_with_exceptions() {
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
fn what_is_wrong_with_times_and_domains() {
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
}

#[test]
fn what_is_wrong_with_enforcement_and_schedule() {
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
    error: `at`: `0 25 * * *` is no cron line: value must be in range 0..=23; found 25
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
