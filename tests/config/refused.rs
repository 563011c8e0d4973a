//! What is wrong with keys, sources and secrets is refused with its place and a remedy: the screens as printed.

use super::refused;

#[test]
fn what_is_wrong_with_keys() {
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
}

#[test]
fn what_is_wrong_with_types() {
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
}

#[test]
fn what_is_wrong_with_choices() {
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
fn what_is_missing_in_sources() {
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
}

#[test]
fn what_is_wrong_with_a_nextcloud() {
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
}

#[test]
fn what_is_wrong_with_tenants_and_defaults() {
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
      = help: from 0.01 to 1000000

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
