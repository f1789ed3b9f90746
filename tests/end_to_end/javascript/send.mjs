// Sends one trace and some metrics with OpenTelemetry's own SDK, over the transport that is asked for.
// Usage: node send.mjs grpc|http/protobuf|http/json GRPC_ADDRESS HTTP_URL
import { SpanKind, SpanStatusCode, TraceFlags, context, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [protocol, grpcAddress, httpUrl] = process.argv.slice(2);
const suffix = { grpc: "grpc", "http/protobuf": "proto", "http/json": "http" }[protocol];
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${suffix}`);
const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${suffix}`);
const traces = protocol === "grpc" ? `http://${grpcAddress}` : `${httpUrl}/v1/traces`;
const metrics = protocol === "grpc" ? `http://${grpcAddress}` : `${httpUrl}/v1/metrics`;

const resource = resourceFromAttributes({
  "service.name": "javascript",
  "service.version": "1.2.3",
  "test.protocol": protocol,
});
const failures = [];
const watched = (exporter) => {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      if (result.code !== 0) failures.push(String(result.error));
      done(result);
    });
  return exporter;
};

const provider = new BasicTracerProvider({
  resource,
  spanProcessors: [new SimpleSpanProcessor(watched(new OTLPTraceExporter({ url: traces })))],
});
const tracer = provider.getTracer("javascript-test", "0.1.0");
const parent = tracer.startSpan("generate", {
  kind: SpanKind.SERVER,
  attributes: {
    "crucible.run.id": `js-${protocol}`,
    "crucible.step": 7,
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 45,
    text: 'quotes " and \\ and ünïcode 🙂',
    flag: true,
    ratio: 0.1,
    whole: 3,
    texts: ["a", "b"],
    numbers: [1, 2.5],
  },
});
const linked = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: TraceFlags.SAMPLED };
const child = tracer.startSpan(
  "tool",
  { kind: SpanKind.CLIENT, links: [{ context: linked, attributes: { why: "cause" } }] },
  trace.setSpan(context.active(), parent),
);
child.addEvent("retry", { attempt: 2 });
child.recordException(new Error("tool failed"));
child.setStatus({ code: SpanStatusCode.ERROR, message: "tool failed" });
child.end();
parent.end();
await provider.forceFlush();

const reader = new PeriodicExportingMetricReader({
  exporter: watched(new OTLPMetricExporter({ url: metrics })),
  exportIntervalMillis: 3_600_000,
});
const meter = new MeterProvider({ resource, readers: [reader] }).getMeter("javascript-test");
meter.createCounter("requests", { unit: "{request}", description: "requests seen" }).add(5, { route: "/a" });
meter.createGauge("temperature", { unit: "Cel" }).record(21.5, { room: "lab" });
const histogram = meter.createHistogram("latency", { unit: "ms", advice: { explicitBucketBoundaries: [1, 10, 100] } });
for (const value of [0.5, 5, 50, 500]) histogram.record(value);
await reader.forceFlush();
await provider.shutdown();

const { traceId, spanId } = parent.spanContext();
console.log(JSON.stringify({ traceId, spanId, childSpanId: child.spanContext().spanId, failures }));
