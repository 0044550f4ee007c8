#!/usr/bin/python3
"""A row of token_key as a private JWK: unwrap.py KEY_FILE KID ALGORITHM < wrapped in hex.

An implementation of its own of what token_key.wrapped_private is said to be."""
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key
from jwcrypto import jwk

key_file, kid, algorithm = sys.argv[1:]
box = bytes.fromhex(sys.stdin.read())
with open(key_file, "rb") as file:
    der = AESGCM(file.read()).decrypt(box[:12], box[28:] + box[12:28], kid.encode())
key = jwk.JWK.from_pyca(load_der_private_key(der, None))
key.update(kid=kid, alg=algorithm)
print(key.export_private())
