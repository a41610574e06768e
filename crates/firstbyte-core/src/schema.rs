//! The one declaration of every field and record; codecs, parser, docs and tests follow from it.

use std::marker::PhantomData;

use crate::clock::{Micros, Timestamp};

/// What a field's value means and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// The event's own moment: seconds with six decimals in text, `t_ns` in JSON.
    Moment,
    /// A duration: milliseconds with one decimal in text, integer `*_us` in JSON.
    Millis,
    /// An integer.
    Count,
    /// A real number, one decimal in text: a percentage, or a rate per second.
    Real,
    /// Seconds since the Unix epoch, six decimals in text, `unix_ns` in JSON.
    Unix,
    /// Text, percent-encoded where it is not plain ASCII.
    Text,
}

/// A type of value that a [`Field`] can hold.
pub trait FieldType: sealed::Sealed {
    /// What callers pass and get.
    type Value<'a>;
    #[doc(hidden)]
    const UNIT: Unit;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! field_types {
    ($($(#[$doc:meta])* $name:ident => $value:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl FieldType for $name {
            type Value<'a> = $value;
            const UNIT: Unit = Unit::$name;
        }
    )*};
}

field_types! {
    /// Type of the field `t`, which every event carries.
    Moment => Timestamp;
    /// Type of the field `unix`, which the writer adds.
    Unix => u64;
    /// Type of fields with [`Unit::Millis`].
    Millis => Micros;
    /// Type of fields with [`Unit::Count`].
    Count => i64;
    /// Type of fields with [`Unit::Real`].
    Real => f64;
    /// Type of fields with [`Unit::Text`].
    Text => &'a str;
}

/// The name of a value in an event, with its type.
#[derive(Debug)]
pub struct Field<T> {
    pub(crate) id: FieldId,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T: FieldType> Field<T> {
    pub(crate) const fn new(id: FieldId) -> Self {
        Self { id, value: PhantomData }
    }

    /// The field whatever its type.
    #[must_use]
    pub const fn id(self) -> FieldId {
        self.id
    }

    /// The key in text lines, such as `wall_ms`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.id.info().key
    }
}

/// A row of the field table.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The key in text lines, such as `wall_ms`.
    pub key: &'static str,
    /// The key in JSON lines, such as `wall_us`.
    pub json_key: &'static str,
    /// What the value means and how it is written.
    pub unit: Unit,
    /// One line on what it is.
    pub doc: &'static str,
}

/// A row of the record table.
#[derive(Debug)]
pub struct Record {
    pub(crate) id: RecordId,
    /// The tag it has unless an event says otherwise: see [`Tag`].
    pub tag: Tag,
    /// The name after the tag; the `rollout` record has none.
    pub name: Option<&'static str>,
    /// All fields in the order of the line, required ones first.
    pub fields: &'static [FieldId],
    /// How many of `fields` are required.
    pub required: usize,
    /// One line on when it is written.
    pub doc: &'static str,
}

impl Record {
    /// The record with this tag and name. Call records are found under `weights` and `admin` alike.
    #[must_use]
    pub fn find(tag: &str, name: Option<&str>) -> Option<&'static Self> {
        let tag = if tag == Tag::Admin.as_str() { Tag::Weights.as_str() } else { tag };
        RECORDS.iter().copied().find(|r| r.tag.as_str() == tag && r.name == name)
    }

    /// Its place in [`RECORDS`].
    #[inline]
    pub(crate) const fn index(&self) -> u8 {
        self.id.0
    }

    /// The place of `field` in this record's line, which is below [`MAX_FIELDS`].
    #[inline]
    #[must_use]
    pub fn position(&self, field: FieldId) -> Option<usize> {
        let position = POSITIONS[self.id.0 as usize][field.0 as usize];
        (position != ABSENT).then_some(position as usize)
    }
}

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The first word of a line: which conversation it belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Tag { $($(#[$doc])* $name,)* }

        impl Tag {
            /// Every tag, each in the place of its number.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The tag as written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

tags! {
    /// A call of the weight-update family: pause, update, reload, LoRA, resume.
    Weights = "weights";
    /// Any other control call.
    Admin = "admin";
    /// What the engine's own process says of a call.
    Engine = "engine";
    /// Checkpoints written by the trainer and awaited by the orchestrator.
    Ckpt = "ckpt";
    /// Generation batches of the orchestrator.
    Gen = "gen";
    /// One line on the state of the rollouts.
    Rollout = "rollout";
    /// Training steps.
    Step = "step";
    /// Inference batches.
    Infer = "infer";
    /// Flushes of a batching queue.
    Queue = "queue";
    /// What firstbyte says of itself.
    Firstbyte = "firstbyte";
}

/// A field, whatever its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldId(u8);

impl FieldId {
    /// Its row in [`FIELDS`].
    #[must_use]
    pub const fn info(self) -> &'static FieldInfo {
        &FIELDS[self.0 as usize]
    }

    /// The field with this key in text lines.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        FIELDS.iter().position(|field| field.key == key).map(|index| Self(index as u8))
    }

    /// The field with this key in JSON lines.
    #[must_use]
    pub fn from_json_key(key: &str) -> Option<Self> {
        FIELDS.iter().position(|field| field.json_key == key).map(|index| Self(index as u8))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordId(u8);

/// More fields than any record has: the room that a large event needs.
pub const MAX_FIELDS: usize = 28;

const ABSENT: u8 = u8::MAX;

/// Where each field stands in each record, so that setting one is a look-up and no search.
const POSITIONS: [[u8; FIELDS.len()]; RECORDS.len()] = {
    let mut positions = [[ABSENT; FIELDS.len()]; RECORDS.len()];
    let mut r = 0;
    while r < RECORDS.len() {
        let fields = RECORDS[r].fields;
        assert!(fields.len() <= MAX_FIELDS);
        let mut f = 0;
        while f < fields.len() {
            positions[r][fields[f].0 as usize] = f as u8;
            f += 1;
        }
        r += 1;
    }
    positions
};

macro_rules! json_key {
    ($key:literal) => {
        $key
    };
    ($key:literal / $json:literal) => {
        $json
    };
}

macro_rules! schema {
    (
        fields { $($field:ident: $type:ident = $key:literal $(/ $json:literal)?, $field_doc:literal;)* }
        records { $($record:ident = $tag:ident $(/ $name:literal)?
            [$($required:ident)*] [$($optional:ident)*], $record_doc:literal;)* }
    ) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum FieldIndex { $($field,)* }

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum RecordIndex { $($record,)* }

        /// Every field.
        pub const FIELDS: &[FieldInfo] = &[$(FieldInfo {
            key: $key,
            json_key: json_key!($key $(/ $json)?),
            unit: Unit::$type,
            doc: $field_doc,
        },)*];

        /// Every record, in the order of the reference table.
        pub const RECORDS: &[&Record] = &[$(&record::$record,)*];

        /// The fields by name.
        pub mod field {
            use super::{Count, Field, FieldId, FieldIndex, Millis, Moment, Real, Text, Unix};
            $(
                #[doc = $field_doc]
                pub const $field: Field<$type> = Field::new(FieldId(FieldIndex::$field as u8));
            )*
        }

        /// The records by name.
        pub mod record {
            use super::{FieldId, FieldIndex, Record, RecordId, RecordIndex, Tag};
            $(
                #[doc = $record_doc]
                pub static $record: Record = Record {
                    id: RecordId(RecordIndex::$record as u8),
                    tag: Tag::$tag,
                    name: [$(Some($name),)? None][0],
                    fields: &[
                        $(FieldId(FieldIndex::$required as u8),)*
                        $(FieldId(FieldIndex::$optional as u8),)*
                    ],
                    required: [$(FieldIndex::$required as u8),*].len(),
                    doc: $record_doc,
                };
            )*
        }
    };
}

schema! {
    fields {
        T: Moment = "t" / "t_ns", "Moment of the event on the monotonic clock.";
        UNIX: Unix = "unix" / "unix_ns", "Moment of the event on the wall clock.";
        URL: Text = "url", "Request URL without credentials and query values.";
        PATH: Text = "path", "Request path, or the path of a checkpoint.";
        OP: Text = "op", "Operation, as the route table names it.";
        TARGET: Text = "target", "Server that the call goes to: host and port, and the path of the client's base URL if it has one.";
        ATTEMPT: Count = "attempt", "Number of the attempt, from 1.";
        STEP: Count = "step", "Training step.";
        WALL: Millis = "wall_ms" / "wall_us", "From the call of the client to the last byte of the response.";
        RPC: Millis = "rpc_ms" / "rpc_us", "The engine's work: from rpc.start to rpc.done.";
        QUEUE: Millis = "queue_ms" / "queue_us", "wall - rpc: everything that was not the engine.";
        SETUP: Millis = "setup_ms" / "setup_us", "Building the client and the request.";
        POOL: Millis = "pool_ms" / "pool_us", "Waiting for a connection slot of the client.";
        DNS: Millis = "dns_ms" / "dns_us", "Resolving the host name.";
        CONNECT: Millis = "connect_ms" / "connect_us", "TCP handshake.";
        TLS: Millis = "tls_ms" / "tls_us", "TLS handshake.";
        SEND: Millis = "send_ms" / "send_us", "From the connection being ready to the last request byte handed to the kernel, which accepted it.";
        WAIT: Millis = "wait_ms" / "wait_us", "In client.done from the last request byte to the first response byte; elsewhere the time waited.";
        RECEIVE: Millis = "receive_ms" / "receive_us", "From the first to the last response byte.";
        KERNEL: Millis = "kernel_ms" / "kernel_us", "How long the request lay in the server's kernel before the application read it.";
        HANDLER: Millis = "handler_ms" / "handler_us", "From server.recv to rpc.start.";
        RESPOND: Millis = "respond_ms" / "respond_us", "From rpc.done to the response head.";
        NETWORK: Millis = "network_ms" / "network_us", "What remains of wait when kernel and server time are known.";
        UNATTRIBUTED: Millis = "unattributed_ms" / "unattributed_us", "What remains of wait without a name, because a part of the server half is unknown.";
        RESUME: Millis = "resume_ms" / "resume_us", "From the end of the call to the caller's code going on: no part of wall.";
        STATUS: Count = "status", "HTTP status code.";
        FLAGS: Text = "flags", "Reservations about this line, separated by commas.";
        CALL_ID: Text = "call_id", "The engine's own id of the call, the same on both sides.";
        ENGINE_QUEUE: Millis = "engine_queue_ms" / "engine_queue_us", "From the call being sent to the engine beginning with it: the running step, mostly.";
        ENGINE_EXEC: Millis = "engine_exec_ms" / "engine_exec_us", "The engine's work on the call itself.";
        PHASE: Text = "phase", "Phase that the call was in.";
        OUTCOME: Text = "outcome", "How it ended.";
        ERROR: Text = "error", "Class of the error.";
        CAUSE: Text = "cause", "What the system or a library said of the error.";
        STATE: Text = "state", "Where a call that has not ended is stuck.";
        ELAPSED: Millis = "elapsed_ms" / "elapsed_us", "Time since the call began.";
        SENT: Count = "sent_bytes", "Request bytes that the kernel accepted.";
        UNACKED: Count = "unacked_bytes", "Request bytes that the peer's kernel has not acknowledged.";
        INFLIGHT: Count = "inflight", "Requests in progress, this one not counted.";
        LOOP_LAG: Millis = "loop_lag_ms" / "loop_lag_us", "Delay of the event loop at that moment.";
        PROXY: Millis = "proxy_ms" / "proxy_us", "From a proxy's x-request-start to server.recv on the wall clocks of both, which may differ.";
        TTFB: Millis = "ttfb_ms" / "ttfb_us", "From server.recv to the first body byte.";
        DUR: Millis = "dur_ms" / "dur_us", "From start to end.";
        BYTES: Count = "bytes", "Body bytes.";
        FRAMES: Count = "frames", "Body frames.";
        WRITE: Millis = "write_ms" / "write_us", "Writing the checkpoint.";
        TARGET_STEP: Count = "target_step", "Step that is waited for.";
        TARGET_BATCH: Count = "target_batch", "Completions wanted.";
        COMPLETIONS: Count = "completions", "Completions received.";
        INPUT_TOKENS: Count = "input_tokens", "Prompt tokens.";
        OUTPUT_TOKENS: Count = "output_tokens", "Generated tokens.";
        INPUT_TPS: Real = "input_tps", "Prompt tokens per second.";
        OUTPUT_TPS: Real = "output_tps", "Generated tokens per second.";
        TRUNC: Real = "trunc_pct", "Share of truncated completions in per cent.";
        CURRENT_STEP: Count = "current_step", "Step of the trainer.";
        CKPT_STEP: Count = "ckpt_step", "Step of the weights in use.";
        STALENESS: Count = "staleness", "current_step - ckpt_step.";
        BUFFER_DEPTH: Count = "buffer_depth", "Rollouts waiting for the trainer.";
        ROLLOUT: Real = "rollout_s", "Longest rollout in seconds.";
        RELOAD: Real = "reload_s", "Longest reload in seconds.";
        REF_LOGPROBS_CACHED: Count = "ref_logprobs_cached", "1 if the reference log-probabilities came from the cache.";
        PROMPTS: Count = "prompts", "Prompts in the batch.";
        SIZE: Count = "size", "Requests in the batch.";
        REASON: Text = "reason", "Why.";
        DEPTH: Count = "depth", "Requests left in the queue.";
        PID: Count = "pid", "Process id.";
        BOOT: Text = "boot", "Boot id of the host: monotonic moments compare only within one.";
        HOST: Text = "host", "Host name.";
        VERSION: Text = "version", "Version of firstbyte.";
        COUNT: Count = "count", "How many.";
        OFFERED: Count = "offered", "Events that were handed to the recorder.";
        WRITTEN: Count = "written", "Events that every sink took.";
        DROPPED: Count = "dropped", "Events that were counted instead of written.";
    }
    records {
        CLIENT_SEND = Weights / "client.send" [URL T] [OP TARGET ATTEMPT STEP],
            "The client begins an attempt.";
        CLIENT_DONE = Weights / "client.done" [WALL RPC QUEUE]
            [SETUP POOL DNS CONNECT TLS SEND WAIT RECEIVE KERNEL HANDLER RESPOND NETWORK UNATTRIBUTED
             STATUS ATTEMPT FLAGS OP TARGET RESUME],
            "The last byte of the response was read.";
        CLIENT_FAIL = Weights / "client.fail" [WALL PHASE OUTCOME ERROR] [ATTEMPT STATUS OP TARGET CAUSE],
            "The attempt ended without a whole response.";
        CLIENT_WAITING = Weights / "client.waiting" [ELAPSED PHASE STATE] [SENT UNACKED ATTEMPT OP TARGET],
            "The call has not ended yet; written every 60 s.";
        SERVER_RECV = Weights / "server.recv" [PATH T] [KERNEL INFLIGHT LOOP_LAG PROXY],
            "The request head reached the application.";
        RPC_START = Weights / "rpc.start" [OP T] [], "The handler calls the engine.";
        RPC_DONE = Weights / "rpc.done" [OP T RPC] [ERROR CALL_ID], "The engine answered the handler.";
        SERVER_FIRST_BYTE = Weights / "server.first_byte" [T TTFB STATUS] [],
            "The first body byte was handed to the server's transport.";
        SERVER_DONE = Weights / "server.done" [T DUR STATUS OUTCOME] [BYTES FRAMES],
            "The exchange ended on the server, whatever the outcome.";
        ENGINE_DONE = Engine / "call.done" [CALL_ID OP T ENGINE_QUEUE ENGINE_EXEC] [ERROR],
            "The engine's process finished a call; rpc.done with this call_id has its trace id.";
        CKPT_WRITE_START = Ckpt / "write.start" [STEP] [], "The trainer begins a checkpoint.";
        CKPT_WRITE_DONE = Ckpt / "write.done" [STEP WRITE] [BYTES PATH], "The checkpoint is written.";
        CKPT_WAIT_START = Ckpt / "wait.start" [TARGET_STEP] [], "The orchestrator begins to wait for a checkpoint.";
        CKPT_WAIT_DONE = Ckpt / "wait.done" [TARGET_STEP WAIT] [], "The wait for a checkpoint ended.";
        GEN_BATCH_START = Gen / "batch.start" [INFLIGHT TARGET_BATCH] [], "A generation batch begins.";
        GEN_BATCH_DONE = Gen / "batch.done" [COMPLETIONS DUR INFLIGHT]
            [INPUT_TOKENS OUTPUT_TOKENS INPUT_TPS OUTPUT_TPS], "A generation batch ended.";
        ROLLOUT = Rollout [TRUNC CURRENT_STEP CKPT_STEP STALENESS] [BUFFER_DEPTH ROLLOUT RELOAD],
            "The state of the rollouts at a step.";
        STEP_DONE = Step / "step.done" [STEP DUR] [WAIT REF_LOGPROBS_CACHED], "A training step ended.";
        INFER_BATCH_DONE = Infer / "batch.done"
            [PROMPTS DUR INPUT_TOKENS OUTPUT_TOKENS INPUT_TPS OUTPUT_TPS] [], "An inference batch ended.";
        QUEUE_FLUSH = Queue / "batch.flush" [SIZE WAIT] [REASON DEPTH], "A batching queue was flushed.";
        PROCESS_START = Firstbyte / "process.start" [PID BOOT HOST VERSION T UNIX] [],
            "First of a process, and of each further file of its log: the anchor between the monotonic and the wall clock.";
        DROPPED = Firstbyte / "dropped" [COUNT REASON] [], "Events were lost, and why.";
        PROCESS_END = Firstbyte / "process.end" [OFFERED WRITTEN DROPPED] [], "The process is about to end: the last one counts.";
    }
}
