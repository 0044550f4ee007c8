#!/usr/bin/python3
"""Nested tokens by jwcrypto: nested.py open|seal SIGN.jwk DECRYPT.jwk < token or claims > the other."""
import json
import sys

from jwcrypto import jwe, jwk, jws

action, *files = sys.argv[1:]
signs, decrypts = (jwk.JWK.from_json(open(name).read()) for name in files)
text = sys.stdin.read().strip()
if action == "open":
    outer = jwe.JWE(algs=["ECDH-ES+A256KW", "A256GCM"])
    outer.deserialize(text, decrypts)
    inner = jws.JWS()
    inner.allowed_algs = [signs["alg"]]
    inner.deserialize(outer.payload.decode(), signs)
    assert inner.jose_header["typ"] == "at+jwt" and outer.jose_header["cty"] == "JWT"
    print(inner.payload.decode())
else:
    inner = jws.JWS(text.encode())
    inner.add_signature(signs, None, json.dumps({"alg": signs["alg"], "kid": signs["kid"], "typ": "at+jwt"}))
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": decrypts["kid"], "typ": "JWT", "cty": "JWT"}
    outer = jwe.JWE(inner.serialize(compact=True).encode(), json.dumps(header))
    outer.add_recipient(jwk.JWK.from_json(decrypts.export_public()))
    print(outer.serialize(compact=True))
