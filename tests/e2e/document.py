"""Judges every answer of the end-to-end tests by schema/api/openapi.yaml: a status, a type or a member that the document does not have
fails the test that asked. Needs python3-jsonschema and python3-yaml (tests/packages.txt)."""
import atexit
import json
import pathlib
import random
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as e:
    sys.exit(f'{e.name} is missing: install the packages of tests/packages.txt')

PATH = pathlib.Path(__file__).resolve().parents[2] / 'schema' / 'api' / 'openapi.yaml'
METHODS = ('get', 'post', 'put', 'patch', 'delete')
# What the server answers before an operation is known, or when it has no room; the document says so once for all.
ANY = {429, 503}
# Items of a longer list are drawn: a page of readings has ten thousand of one kind.
ITEMS_MOST = 1000

formats = jsonschema.FormatChecker(formats=())


@formats.checks('date-time')
def is_utc_time(text):
    return not isinstance(text, str) or re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z', text) is not None


@formats.checks('date')
def is_day(text):
    return not isinstance(text, str) or re.fullmatch(r'\d{4}-\d\d-\d\d', text) is not None


class Undocumented(AssertionError):
    """An answer that the document does not promise."""


class Document:
    def __init__(self, path=PATH):
        self.doc = yaml.safe_load(path.read_text())
        self.operations = []
        for template, item in self.doc['paths'].items():
            parts = re.split(r'\{[^}]*\}', template)
            pattern = re.compile('[^/]+'.join(map(re.escape, parts)))
            # A path without parameters goes before one that has some.
            self.operations.append((len(parts), pattern, template, item))
        self.operations.sort(key=lambda o: o[0])
        self.validators = {}
        self.judged = 0
        self.seen = set()

    def resolve(self, node):
        while '$ref' in node:
            at = self.doc
            for part in node['$ref'].removeprefix('#/').split('/'):
                at = at[part]
            node = at
        return node

    def operation(self, method, path):
        """(template, operation); (template, None) for a method that the path does not have, (None, None) for no path."""
        known = None
        for _, pattern, template, item in self.operations:
            if not pattern.fullmatch(path):
                continue
            known = known or template
            if method in item:
                return template, item[method]
        return known, None

    def validator(self, key, schema):
        if key not in self.validators:
            # References are of this very document.
            whole = {'components': self.doc['components'], 'allOf': [schema]}
            self.validators[key] = jsonschema.Draft202012Validator(whole, format_checker=formats)
        return self.validators[key]

    def check(self, key, schema, value):
        if isinstance(value, dict) and len(value.get('items') or ()) > ITEMS_MOST:
            value = {**value, 'items': random.sample(value['items'], ITEMS_MOST)}
        errors = sorted(self.validator(key, schema).iter_errors(value), key=lambda e: -len(list(e.absolute_path)))
        if errors:
            e = errors[0]
            raise Undocumented(f'{" ".join(map(str, key))}: at {e.json_path}: {e.message[:400]}')

    def problem(self, what, status, kind, data):
        if kind != 'application/problem+json':
            raise Undocumented(f'{what}: {status} is no problem+json but {kind}')
        self.check(('Problem',), {'$ref': '#/components/schemas/Problem'}, json.loads(data))

    def judge(self, method, target, status, headers, data):
        path = target.split('?')[0]
        if not (path.startswith('/api/') or path == '/healthz'):
            return  # the portal's files
        self.judged += 1
        what = f'{method} {target}'
        kind = (headers.get('Content-Type') or '').split(';')[0].strip()
        head = method == 'HEAD'
        template, operation = self.operation('get' if head else method.lower(), path)
        if operation is None or status in ANY:
            expected = ANY if operation else {404, 400} | ANY if template is None else {405, 400} | ANY
            if status not in expected:
                raise Undocumented(f'{what}: {status} of something that is not documented')
            if data:
                self.problem(what, status, kind, data)
            return
        self.seen.add((method, template, status))
        answer = operation['responses'].get(str(status))
        if answer is None:
            raise Undocumented(f'{what}: {status} is not documented: {data[:300]!r}')
        content = self.resolve(answer).get('content')
        if content is None:
            if data:
                raise Undocumented(f'{what}: {status} has a body where none is documented: {data[:300]!r}')
            return
        if kind not in content:
            raise Undocumented(f'{what}: {status} is {kind or "nothing"}, documented is {", ".join(content)}')
        if head or 'json' not in kind:
            return
        if not data:
            raise Undocumented(f'{what}: {status} has no body')
        self.check((method, template, status), content[kind]['schema'], json.loads(data))


_document = None


def judge(method, target, status, headers, data):
    """One answer as it came; raises Undocumented."""
    global _document
    if _document is None:
        _document = Document()
        atexit.register(lambda: print(f'{_document.judged} answers fit {PATH.name}, {len(_document.seen)} kinds of them', flush=True))
    _document.judge(method, target, status, headers, data)


def self_test():
    """The judge sees what is wrong."""
    d = Document()
    good = {'status': 'ok', 'version': '1'}
    json_type = {'Content-Type': 'application/json'}
    d.judge('GET', '/healthz', 200, json_type, json.dumps(good).encode())
    for what, args in {
        'another member': ('GET', '/healthz', 200, json_type, json.dumps({**good, 'more': 1}).encode()),
        'a missing member': ('GET', '/healthz', 200, json_type, b'{"status":"ok"}'),
        'a wrong type': ('GET', '/healthz', 200, json_type, b'{"status":"ok","version":1}'),
        'another status': ('GET', '/healthz', 201, json_type, json.dumps(good).encode()),
        'another kind': ('GET', '/healthz', 200, {'Content-Type': 'text/plain'}, b'ok'),
        'no body': ('GET', '/healthz', 200, json_type, b''),
        'an unknown path that works': ('GET', '/api/v1/nowhere', 200, json_type, b'{}'),
        'a body of an empty answer': ('DELETE', '/api/v1/tenants/t/meter-keys/1', 204, {}, b'x'),
        'a local time': ('GET', '/api/v1/nodes', 200, json_type, json.dumps({'items': [{
            'id': 1, 'name': 'n', 'version': '1', 'started_at': '2026-01-01T00:00:00+01:00', 'lease_until': '2026-01-01T00:00:00Z',
            'alive': True, 'gateways': 0}]}).encode()),
    }.items():
        try:
            d.judge(*args)
        except Undocumented:
            continue
        raise AssertionError(f'the judge lets pass: {what}')
    jsonschema.Draft202012Validator.check_schema({'components': d.doc['components']})
    for name, schema in d.doc['components']['schemas'].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if schema.get('type') == 'object' and 'additionalProperties' not in schema:
            raise AssertionError(f'schema {name} lets unknown members pass')


if __name__ == '__main__':
    self_test()
    print('the judge is awake')
