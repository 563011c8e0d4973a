"""A mail server for the tests: aiosmtpd with TLS and sign-in, and Python's own reading of what arrived.

It prints its port, and then one line of JSON for each letter.
"""

import asyncio
import base64
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [
            {
                "type": part.get_content_type(),
                "text": part.get_content().replace("\r\n", "\n") if part.get_content_maintype() == "text" else None,
                "file": part.get_filename(),
                "bytes": len(part.get_payload(decode=True)),
                "content": base64.b64encode(part.get_payload(decode=True)).decode(),
            }
            for part in message.walk()
            if not part.is_multipart()
        ]
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "encrypted": session.ssl is not None or mode == "tls",
                "account": session.auth_data.decode() if session.auth_data else None,
                "connection": session.peer[1],
                "type": message.get_content_type(),
                "headers": {name: str(value) for name, value in message.items()},
                "defects": [str(defect) for part in message.walk() for defect in part.defects],
                "parts": parts,
            }
        )
        return "250 2.0.0 taken"


def sign_in(server, session, envelope, mechanism, data):
    good = data.login == b"audit" and data.password == password.encode()
    return AuthResult(success=good, handled=False, auth_data=data.login)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    at_once = context if mode == "tls" else None
    upgrade = context if mode == "starttls" else None

    def protocol():
        return SMTP(
            Handler(),
            hostname="mail.example.org",
            tls_context=upgrade,
            require_starttls=mode == "starttls",
            authenticator=sign_in,
            auth_required=mode != "none",
            auth_require_tls=mode == "starttls",
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=at_once)
    say({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


mode, certificate, key, password = sys.argv[1:]
asyncio.run(main())
