"""Own telegrams and names for the end-to-end tests; written from the standards' layouts."""


def _telegram(meter_id, records, c=0x44, manufacturer='EMT', version=1, type_=2, access=1):
    """Wireless M-Bus, short header, plaintext, no link CRCs (EN 13757-4, -3)."""
    code = 0
    for ch in manufacturer:
        code = code * 32 + ord(ch) - 64
    body = bytes([c]) + code.to_bytes(2, 'little') + bytes.fromhex(meter_id)[::-1] + bytes([version, type_])
    body += bytes([0x7A, access, 0, 0, 0]) + records
    return (bytes([len(body)]) + body).hex()


def energy_telegram(meter_id, wh, **more):
    """Active energy import, 32 bit, Wh (DIF 04, VIF 03), and power in W (DIF 02, VIF 2B)."""
    records = bytes([0x04, 0x03]) + wh.to_bytes(4, 'little') + bytes([0x02, 0x2B]) + (1500).to_bytes(2, 'little')
    return _telegram(meter_id, records, **more)


PLAIN_ELECTRICITY = {'alpha': energy_telegram('11112222', 1234567), 'beta': energy_telegram('33334444', 7654321)}

# Invented locations: MeLo of 33 characters, MaLo with check digit.
MELO_A = 'DE0009991011500000000000000000001'
MELO_B = 'DE0009991011500000000000000000002'
MALO_A = '51234567895'
