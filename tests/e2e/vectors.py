"""Own telegrams and names for the end-to-end tests; written from the standards' layouts."""
import datetime


def _telegram(meter_id, records, c=0x44, manufacturer='EMT', version=1, type_=2, access=1, status=0):
    """Wireless M-Bus, short header, plaintext, no link CRCs (EN 13757-4, -3)."""
    code = 0
    for ch in manufacturer:
        code = code * 32 + ord(ch) - 64
    body = bytes([c]) + code.to_bytes(2, 'little') + bytes.fromhex(meter_id)[::-1] + bytes([version, type_])
    body += bytes([0x7A, access, status, 0, 0]) + records
    return (bytes([len(body)]) + body).hex()


def energy_telegram(meter_id, wh, **more):
    """Active energy import, 32 bit, Wh (DIF 04, VIF 03), and power in W (DIF 02, VIF 2B)."""
    records = bytes([0x04, 0x03]) + wh.to_bytes(4, 'little') + bytes([0x02, 0x2B]) + (1500).to_bytes(2, 'little')
    return _telegram(meter_id, records, **more)


def german_offset(at):
    """Hours of German legal time ahead of UTC (datetime without zone, UTC): summer time from the last Sunday of March to that of October."""
    def last_sunday(month):
        day = datetime.datetime(at.year, month, 31, 1)
        return day - datetime.timedelta(days=(day.weekday() + 1) % 7)
    return 2 if last_sunday(3) <= at < last_sunday(10) else 1


def profile_telegram(meter_id, start, values, **more):
    """Energy in Wh each 15 minutes from `start` (UTC) on: the first value as a record of storage 1 with its time (DIF 44; type F, EN 13757-3
    annex A), the others as its compact profile of absolute 16 bit values (VIFE 1F, annex F)."""
    offset = german_offset(start)
    at = start + datetime.timedelta(hours=offset)
    clock = bytes([at.minute, at.hour | (0x80 if offset == 2 else 0), at.day | (at.year % 100 & 7) << 5, at.month | (at.year % 100 >> 3) << 4])
    records = bytes([0x44, 0x03]) + values[0].to_bytes(4, 'little') + bytes([0x44, 0x6D]) + clock
    records += bytes([0x4D, 0x83, 0x1F, 2 * len(values), 0x12, 0x0F]) + b''.join(v.to_bytes(2, 'little') for v in values[1:])
    return _telegram(meter_id, records, **more)


PLAIN_ELECTRICITY = {'alpha': energy_telegram('11112222', 1234567), 'beta': energy_telegram('33334444', 7654321)}

# Invented locations: MeLo of 33 characters, MaLo with check digit.
MELO_A = 'DE0009991011500000000000000000001'
MELO_B = 'DE0009991011500000000000000000002'
MALO_A = '51234567895'
