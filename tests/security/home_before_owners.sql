-- A database as it was before what is stored had owners, with a call that is open.
PRAGMA application_id = 1163411785;
PRAGMA user_version = 8;
BEGIN TRANSACTION;
CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            created_at REAL NOT NULL,
            expires_at REAL NOT NULL
        ) STRICT
        ;
INSERT INTO "conversations" VALUES('11111111-2222-4333-8444-555555555555',1790000000.0,4000000000.0);
CREATE TABLE journal_calls (
            session TEXT NOT NULL,
            request TEXT NOT NULL,
            principal TEXT NOT NULL,
            resumable INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            roots TEXT NOT NULL,
            timeout REAL NOT NULL,
            at REAL NOT NULL,
            attempts INTEGER NOT NULL,
            frame TEXT NOT NULL, lasting INTEGER NOT NULL DEFAULT 0, packed BLOB,
            UNIQUE (session, request)
        ) STRICT
        ;
INSERT INTO "journal_calls" VALUES('win-anyone','"r1"','anyone',1,1,'[]',60.0,1790000000.0,1,'{"op":"call_tool","arguments":{"prompt":"r1 of anyone"},"handle_after_s":null,"name":"test_echo","request_id":"r1","roots":null,"stream":false,"timeout_s":null,"trace":null}',0,NULL);
INSERT INTO "journal_calls" VALUES('win-anyone','"r2"','anyone',1,3,'[]',60.0,1790000000.0,1,'{"op":"call_tool","arguments":{"prompt":"r2 of anyone"},"handle_after_s":null,"name":"test_echo","request_id":"r2","roots":null,"stream":false,"timeout_s":null,"trace":null}',0,NULL);
INSERT INTO "journal_calls" VALUES('win-token','"r1"','token',1,1,'[]',60.0,1790000000.0,1,'{"op":"call_tool","arguments":{"prompt":"r1 of token"},"handle_after_s":null,"name":"test_echo","request_id":"r1","roots":null,"stream":false,"timeout_s":null,"trace":null}',0,NULL);
INSERT INTO "journal_calls" VALUES('win-token','"r2"','token',1,3,'[]',60.0,1790000000.0,1,'{"op":"call_tool","arguments":{"prompt":"r2 of token"},"handle_after_s":null,"name":"test_echo","request_id":"r2","roots":null,"stream":false,"timeout_s":null,"trace":null}',0,NULL);
CREATE TABLE journal_numbers (
            session TEXT PRIMARY KEY,
            acked INTEGER NOT NULL DEFAULT 0,
            base INTEGER NOT NULL DEFAULT 0
        ) STRICT
        ;
CREATE TABLE journal_outcomes (
            session TEXT NOT NULL,
            request TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            frame TEXT NOT NULL, packed BLOB,
            UNIQUE (session, request),
            FOREIGN KEY (session, request) REFERENCES journal_calls (session, request) ON DELETE CASCADE
        ) STRICT
        ;
INSERT INTO "journal_outcomes" VALUES('win-anyone','"r1"',2,1790000001.0,'{"ok":true,"op":"call_tool_res","outputs":[{"text":"done before","type":"text"}],"request_id":"r1"}',NULL);
INSERT INTO "journal_outcomes" VALUES('win-token','"r1"',2,1790000001.0,'{"ok":true,"op":"call_tool_res","outputs":[{"text":"done before","type":"text"}],"request_id":"r1"}',NULL);
CREATE TABLE steps (
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            tool TEXT NOT NULL,
            at REAL NOT NULL,
            data TEXT NOT NULL,
            UNIQUE (conversation, number)
        ) STRICT
        ;
INSERT INTO "steps" VALUES('11111111-2222-4333-8444-555555555555',1,'planner',1790000002.0,'{"over":true}');
CREATE TABLE thread_names (
            conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
            name TEXT NOT NULL UNIQUE
        ) STRICT
        ;
INSERT INTO "thread_names" VALUES('11111111-2222-4333-8444-555555555555','bridge');
CREATE TABLE token_ratios (
            model TEXT PRIMARY KEY,
            ratio REAL NOT NULL,
            at REAL NOT NULL
        ) STRICT
        ;
CREATE TABLE turns (
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            tool TEXT NOT NULL,
            model TEXT NOT NULL,
            provider TEXT NOT NULL,
            at REAL NOT NULL,
            extra TEXT NOT NULL,
            UNIQUE (conversation, number)
        ) STRICT
        ;
INSERT INTO "turns" VALUES('11111111-2222-4333-8444-555555555555',1,'user','Which bridge?','chat','','',1790000000.0,'{}');
INSERT INTO "turns" VALUES('11111111-2222-4333-8444-555555555555',2,'assistant','The old one.','chat','glm-4.6','glm',1790000001.0,'{}');
CREATE TABLE uploads (
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            file_id TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            purpose TEXT NOT NULL,
            filename TEXT NOT NULL,
            size INTEGER NOT NULL,
            uploaded_at REAL NOT NULL,
            used_at REAL NOT NULL,
            PRIMARY KEY (provider, account, file_id)
        ) STRICT
        ;
INSERT INTO "uploads" VALUES('kimi','a','file_old','5a','file-extract','old.md',3,1790000000.0,1790000000.0);
CREATE INDEX conversations_by_expiry ON conversations (expires_at);
CREATE INDEX uploads_by_content ON uploads (sha256);
COMMIT;
