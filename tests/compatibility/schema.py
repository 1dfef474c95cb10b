"""The messages of Kafka's protocol in every version, as kafka_schema.txt lays them out: a codec
that shares nothing with the broker's. Messages are dictionaries. Standard library only."""

import pathlib
import re
import struct

LAYOUTS = pathlib.Path(__file__).with_name("kafka_schema.txt")
FORMS = {"i8": "b", "i16": "h", "i32": "i", "i64": "q", "f64": "d", "bool": "?"}
TOKEN = re.compile(r"(?P<name>\w+)(?P<array>\[\])?(?P<nullable>\?(?P<null>[\d+-]*))?"
                   r"(?:@(?P<versions>[\d+-]+))?(?:#(?P<tag>\d+))?(?::(?P<type>\w+)|(?P<open>\())")


def versions(text):
    """"8+", "8-10" and "-7" as a range; the empty text is of all."""
    low, _, high = text.partition("-") if "-" in text else (text.rstrip("+"), "", "")
    return range(int(low or 0), int(high) + 1 if high else 1 << 15)


class Field:
    def __init__(self, found):
        self.name = found["name"]
        self.is_array = found["array"] is not None
        self.nullable = versions(found["null"]) if found["nullable"] else ()
        self.versions = versions(found["versions"] or "")
        self.tag = None if found["tag"] is None else int(found["tag"])
        self.type = found["type"]  # None: a struct of `fields`
        self.fields = []


def parsed(text, at=0):
    """The fields from `at` on, and where they end."""
    fields = []
    while at < len(text):
        if text[at] == ")":
            return fields, at + 1
        if text[at] == " ":
            at += 1
            continue
        found = TOKEN.match(text, at)
        assert found, text[at:]
        fields.append(Field(found))
        at = found.end()
        if found["open"]:
            fields[-1].fields, at = parsed(text, at)
    return fields, at


class Writer:
    def __init__(self, version, flexible):
        self.version, self.flexible, self.out = version, flexible, bytearray()

    def varint(self, value):
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def size(self, size, form):
        """Of something that follows; None if it is null."""
        if self.flexible:
            self.varint(0 if size is None else size + 1)
        else:
            self.out += struct.pack(">" + form, -1 if size is None else size)

    def struct(self, fields, values):
        known = {field.name for field in fields}
        assert set(values) <= known, set(values) - known
        tagged = []
        for field in fields:
            if self.version not in field.versions:
                continue
            if field.tag is None:
                self.field(field, values.get(field.name, self.default(field)))
            elif field.name in values:
                tagged.append(field)
        if self.flexible:
            self.varint(len(tagged))
            for field in tagged:
                inner = Writer(self.version, self.flexible)
                inner.field(field, values[field.name])
                self.varint(field.tag)
                self.varint(len(inner.out))
                self.out += inner.out

    def default(self, field):
        if self.version in field.nullable:
            return None
        if field.is_array:
            return []
        return {"str": "", "uuid": bytes(16), None: {}}.get(
            field.type, b"" if field.type in ("bytes", "records") else 0)

    def field(self, field, value):
        if field.is_array:
            self.size(None if value is None else len(value), "i")
            for each in value or ():
                self.value(field, each)
        else:
            self.value(field, value)

    def value(self, field, value):
        if field.type is None:
            self.struct(field.fields, value)
        elif field.type == "uuid":
            self.out += value
        elif field.type in FORMS:
            self.out += struct.pack(">" + FORMS[field.type], value)
        else:
            data = value.encode() if isinstance(value, str) else value
            self.size(None if data is None else len(data), "h" if field.type == "str" else "i")
            self.out += data or b""


class Scanner:
    """Reads a message, and refuses what is not there or not allowed."""

    def __init__(self, version, flexible, data):
        self.version, self.flexible, self.data, self.at = version, flexible, data, 0

    def bytes(self, size):
        assert 0 <= size <= len(self.data) - self.at, (size, len(self.data), self.at)
        self.at += size
        return self.data[self.at - size:self.at]

    def take(self, form):
        return struct.unpack(">" + form, self.bytes(struct.calcsize(">" + form)))[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def size(self, field, form):
        size = self.varint() - 1 if self.flexible else self.take(form)
        assert size >= 0 or size == -1 and self.version in field.nullable, (field.name, size)
        return size

    def struct(self, fields):
        values, tagged = {}, {}
        for field in fields:
            if self.version not in field.versions:
                continue
            if field.tag is None:
                values[field.name] = self.field(field)
            else:
                tagged[field.tag] = field
        for _ in range(self.varint() if self.flexible else 0):
            tag, size = self.varint(), self.varint()
            end = self.at + size
            values[tagged[tag].name] = self.field(tagged[tag])
            assert self.at == end, (tagged[tag].name, self.at, end)
        return values

    def field(self, field):
        if not field.is_array:
            return self.value(field)
        size = self.size(field, "i")
        # Each takes a byte at least.
        assert size <= len(self.data) - self.at, (field.name, size)
        return None if size < 0 else [self.value(field) for _ in range(size)]

    def value(self, field):
        if field.type is None:
            return self.struct(field.fields)
        if field.type == "uuid":
            return self.bytes(16)
        if field.type in FORMS:
            return self.take(FORMS[field.type])
        size = self.size(field, "h" if field.type == "str" else "i")
        if size < 0:
            return None
        data = self.bytes(size)
        return data.decode() if field.type == "str" else data


class Api:
    """One request with its answer."""

    def __init__(self, key, name, flexible, request, response):
        self.key, self.name = int(key), name
        self.flexible_since = 1 << 15 if flexible == "-" else int(flexible)
        self.request, self.response = parsed(request)[0], parsed(response)[0]

    def is_flexible(self, version):
        return version >= self.flexible_since

    def encode(self, fields, version, values):
        writer = Writer(version, self.is_flexible(version))
        writer.struct(fields, values)
        return bytes(writer.out)

    def decode(self, fields, version, data):
        """The message, which has to be all that is there."""
        scanner = Scanner(version, self.is_flexible(version), data)
        values = scanner.struct(fields)
        assert scanner.at == len(data), (self.name, version, data[scanner.at:])
        return values

    def call(self, connection, version, **values):
        """The answer of the broker, of a wire.Connection."""
        reader = connection.call(self.key, version, self.encode(self.request, version, values),
                                 self.is_flexible(version))
        # Who asks for the versions cannot know yet what headers look like.
        if self.is_flexible(version) and self.name != "ApiVersions":
            assert reader.take("B") == 0
        return self.decode(self.response, version, reader.bytes(reader.left))


def load():
    """{name: Api} of all that is laid out."""
    lines = [line for line in LAYOUTS.read_text().splitlines() if not line.startswith("#")]
    rows = zip(lines[::3], lines[1::3], lines[2::3])
    apis = [Api(*head.split(), request[1:].strip(), response[1:].strip())
            for head, request, response in rows]
    return {api.name: api for api in apis}


APIS = load()
