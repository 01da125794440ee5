# SPDX-License-Identifier: MIT
# necropy: cryptography: keys, certificates, ciphers; cffi behind it and by itself.
"""crypto_keys.py: Rust and cffi types, and what they hold."""
import datetime
import gc
import os
import sys

import cffi
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    start = datetime.datetime(2024, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(77)
    builder = builder.not_valid_before(start).not_valid_after(start + datetime.timedelta(99))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example.org")]), critical=False)
    return builder.sign(key, hashes.SHA256())


def c_things():
    ffi = cffi.FFI()
    ffi.cdef("struct point { int x; double y; struct point *next; }; int puts(const char *); typedef int (*callback)(int, void *);"
             "int abs(int); enum color { RED, GREEN };")
    points = [ffi.new("struct point *", {"x": number, "y": number / 2}) for number in range(200)]
    for left, right in zip(points, points[1:]):
        left.next = right
    kept = {"n": []}

    @ffi.callback("callback")
    def called(number, context):
        kept["n"].append(number)
        return number
    called(5, ffi.NULL)
    library = ffi.dlopen(None)
    return {"ffi": ffi, "points": points, "callback": called, "library": library, "abs": library.abs, "five": library.abs(-5),
            "types": [ffi.typeof(text) for text in ("int[10]", "struct point", "int(*)(int, char **)", "enum color")],
            "handle": ffi.new_handle(kept), "buffer": ffi.buffer(points[0]), "owned": ffi.gc(ffi.new("char[]", 100), lambda it: None),
            "arrays": [ffi.new("int[]", number) for number in range(50)], "from": ffi.from_buffer(bytearray(100)),
            "iterator": iter(ffi.new("int[]", 5)), "kept": kept}


def main():
    private = rsa.generate_private_key(65537, 2048)
    KEPT["keys"] = [private, private.public_key(), private.private_numbers(), ec.generate_private_key(ec.SECP256R1()),
                    ed25519.Ed25519PrivateKey.generate()]
    KEPT["pem"] = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = KEPT["certificate"] = certificate(private)
    KEPT["extensions"], KEPT["subject"] = made.extensions, made.subject
    KEPT["loaded"] = [x509.load_pem_x509_certificate(made.public_bytes(serialization.Encoding.PEM)) for _ in range(50)]
    KEPT["seen"] = [(one.issuer, one.extensions, one.public_key()) for one in KEPT["loaded"][:20]]
    fernet = KEPT["fernet"] = Fernet(Fernet.generate_key())
    KEPT["tokens"] = [fernet.encrypt(b"%d" % number) for number in range(100)]
    KEPT["ciphers"] = [Cipher(algorithms.AES(b"k" * 32), modes.CTR(b"n" * 16)).encryptor() for _ in range(30)]
    KEPT["hashes"] = [hashes.Hash(hashes.SHA256()) for _ in range(30)] + [hmac.HMAC(b"key", hashes.SHA512()) for _ in range(30)]
    KEPT["cffi"] = c_things()
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
