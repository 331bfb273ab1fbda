"""A fake of Supabase's Storage API, faithful in what it answers: true statuses stand in the bodies, most of HTTP's are 400."""

import json
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from hosted.http1 import Response

_LONGEST_KEY = 1_024
_JSON = [(b"content-type", b"application/json")]


def _said(value, status=200):
    return Response(status=status, headers=_JSON, body=json.dumps(value).encode())


def _fault(status, error, message, http=400):
    return _said({"statusCode": str(status), "error": error, "message": message}, http)


@attrs.define
class Bucket:
    """Objects by key; `limit` is in bytes, 0 for none."""

    name: str
    public: bool = False
    limit: int = 0
    objects: dict[str, bytes] = attrs.field(factory=dict)
    made: dict[str, float] = attrs.field(factory=dict)


@attrs.define
class StorageApi:
    """`plan_limit` is the plan's, in bytes a file; `now` is its clock, which links expire by."""

    plan_limit: int = 50 * 1024 * 1024
    now: object = time.time
    buckets: dict[str, Bucket] = attrs.field(factory=dict)
    links: dict[str, tuple[str, float]] = attrs.field(factory=dict)

    def clear(self):
        for bucket in self.buckets.values():
            bucket.objects.clear()

    def answer(self, request):
        """The answer to a request whose path begins after /storage/v1."""
        parts = [unquote(part) for part in request.path.split("/")[3:]]
        match parts:
            case ["bucket", *rest]:
                return self._bucket(request, rest)
            case ["object", "sign", name, *key]:
                answer = self._linked if request.method == "GET" else self._sign
                return answer(request, name, "/".join(key))
            case ["object", "list", name]:
                return self._list(request, name)
            case ["object", "info", *rest]:
                return self._info(rest)
            case ["object", "authenticated", name, *key] | ["object", name, *key]:
                return self._object(request, name, "/".join(key))
            case _:
                return _fault(404, "not_found", "Route not found", 404)

    def _bucket(self, request, rest):
        if request.method == "GET" and not rest:
            return _said([self._shown(each) for each in self.buckets.values()])
        if request.method == "POST":
            body = json.loads(request.body)
            if body["id"] in self.buckets:
                return _fault(409, "Duplicate", "The resource already exists")
            limit = body.get("file_size_limit") or 0
            self.buckets[body["id"]] = Bucket(body["id"], bool(body.get("public")), limit)
            return _said({"name": body["id"]})
        bucket = self.buckets.get("/".join(rest))
        return _said(self._shown(bucket)) if bucket else _no_bucket()

    def _shown(self, bucket):
        limit = bucket.limit or None
        return {
            "id": bucket.name,
            "name": bucket.name,
            "public": bucket.public,
            "file_size_limit": limit,
        }

    def _object(self, request, name, key):
        bucket = self.buckets.get(name)
        if bucket is None:
            return _no_bucket()
        match request.method:
            case "POST" | "PUT":
                return self._put(request, bucket, key)
            case "DELETE":
                return self._delete(request, bucket, key)
            case _ if key not in bucket.objects:
                return _fault(404, "NoSuchKey", "Object not found")
            case _:
                return _ranged(request, bucket.objects[key])

    def _put(self, request, bucket, key):
        if len(key) > _LONGEST_KEY:
            return _fault(500, "InternalError", "value too long", 500)
        if not key.isascii():
            return _fault(400, "InvalidKey", f"Invalid key: {key}")
        if len(request.body) > min(bucket.limit or self.plan_limit, self.plan_limit):
            return _fault(413, "EntityTooLarge", "The object exceeded the maximum allowed size")
        if key in bucket.objects and request.header("x-upsert") != "true":
            return _fault(409, "KeyAlreadyExists", "The resource already exists")
        bucket.objects[key] = request.body
        bucket.made[key] = self.now()
        return _said({"Id": secrets.token_hex(8), "Key": f"{bucket.name}/{key}"})

    def _delete(self, request, bucket, key):
        keys = [key] if key else json.loads(request.body)["prefixes"]
        gone = [each for each in keys if bucket.objects.pop(each, None) is not None]
        if key and not gone:
            return _fault(404, "NoSuchKey", "Object not found")
        return _said([{"name": each, "bucket_id": bucket.name} for each in gone])

    def _info(self, rest):
        name, *key = rest[1:] if rest[0] == "authenticated" else rest
        bucket = self.buckets.get(name)
        found = bucket.objects.get("/".join(key)) if bucket else None
        if found is None:
            return _fault(404, "NoSuchKey", "Object not found")
        return _said({"name": "/".join(key), "size": len(found)})

    def _list(self, request, name):
        bucket = self.buckets.get(name)
        if bucket is None:
            return _no_bucket()
        asked = json.loads(request.body)
        start, most = asked.get("offset", 0), asked.get("limit", 100)
        prefix = asked.get("prefix", "")
        keys = sorted(key for key in bucket.objects if key.startswith(prefix))[start : start + most]
        return _said(
            [
                {
                    "name": key.removeprefix(f"{prefix}/"),
                    "created_at": datetime.fromtimestamp(
                        bucket.made.get(key, 0.0), UTC
                    ).isoformat(),
                    "metadata": {"size": len(bucket.objects[key])},
                }
                for key in keys
            ]
        )

    def _sign(self, request, name, key):
        bucket = self.buckets.get(name)
        if bucket is None or key not in bucket.objects:
            return _fault(404, "NoSuchKey", "Object not found")
        token = secrets.token_urlsafe(16)
        self.links[token] = (f"{name}/{key}", self.now() + json.loads(request.body)["expiresIn"])
        return _said({"signedURL": f"/object/sign/{name}/{key}?token={token}"})

    def _linked(self, request, name, key):
        token = parse_qs(urlsplit(request.target).query).get("token", [""])[0]
        wanted, until = self.links.get(token, ("", 0.0))
        if wanted != f"{name}/{key}" or until < self.now():
            return _fault(400, "InvalidJWT", '"exp" claim timestamp check failed')
        return _ranged(request, self.buckets[name].objects[key])


def _no_bucket():
    return _fault(404, "Bucket not found", "Bucket not found")


def _ranged(request, content):
    asked = request.header("range")
    if not asked:
        return Response(
            status=200, headers=[(b"content-type", b"application/octet-stream")], body=content
        )
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, end = int(first), int(last) if last else len(content) - 1
    if start >= len(content):
        return Response(
            status=416,
            headers=_JSON,
            body=b'{"statusCode":"416","error":"InvalidRange","message":"x"}',
        )
    shown = f"bytes {start}-{min(end, len(content) - 1)}/{len(content)}".encode()
    return Response(status=206, headers=[(b"content-range", shown)], body=content[start : end + 1])
