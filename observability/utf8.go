package observability

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// validText returns text with what is not UTF-8 in it replaced.
func validText(text string) string { return strings.ToValidUTF8(text, "?") }

// What callers send need not be UTF-8, and OTLP refuses all of a batch for one text that
// is not. So everything that leaves passes here, whoever wrote it: spans and logs of this
// package, of the others and of the app.

// validSpans makes UTF-8 of the texts of spans.
type validSpans struct{ sdktrace.SpanExporter }

// ExportSpans implements sdktrace.SpanExporter.
func (e validSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	valid := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		valid[i] = validSpan{s}
	}
	return e.SpanExporter.ExportSpans(ctx, valid)
}

type validSpan struct{ sdktrace.ReadOnlySpan }

func (s validSpan) Name() string { return validText(s.ReadOnlySpan.Name()) }

func (s validSpan) Attributes() []attribute.KeyValue {
	return validAttributes(s.ReadOnlySpan.Attributes())
}

func (s validSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = validText(status.Description)
	return status
}

func (s validSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Name = validText(events[i].Name)
		events[i].Attributes = validAttributes(events[i].Attributes)
	}
	return events
}

func (s validSpan) Links() []sdktrace.Link {
	links := slices.Clone(s.ReadOnlySpan.Links())
	for i := range links {
		links[i].Attributes = validAttributes(links[i].Attributes)
	}
	return links
}

// validLogs makes UTF-8 of the texts of log records.
type validLogs struct{ sdklog.Exporter }

// Export implements sdklog.Exporter.
func (e validLogs) Export(ctx context.Context, records []sdklog.Record) error {
	valid := make([]sdklog.Record, len(records))
	for i := range records {
		valid[i] = records[i].Clone() // the records are others' too
		r := &valid[i]
		r.SetEventName(validText(r.EventName()))
		r.SetSeverityText(validText(r.SeverityText()))
		r.SetBody(validValue(r.Body()))
		attrs := make([]attribute.KeyValue, 0, r.AttributesLen())
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			attrs = append(attrs, kv)
			return true
		})
		if slices.ContainsFunc(attrs, suspect) {
			r.SetAttributes(validAttributes(attrs)...)
		}
	}
	return e.Exporter.Export(ctx, valid)
}

// suspect tells whether an attribute may hold what is not UTF-8. Composite ones are not
// looked into, for there are few of them.
func suspect(kv attribute.KeyValue) bool {
	switch kv.Value.Type() {
	case attribute.STRING:
		return !utf8.ValidString(string(kv.Key)) || !utf8.ValidString(kv.Value.AsString())
	case attribute.STRINGSLICE, attribute.SLICE, attribute.MAP:
		return true
	}
	return !utf8.ValidString(string(kv.Key))
}

// validAttributes returns attrs, or a copy where one of them may have to change.
func validAttributes(attrs []attribute.KeyValue) []attribute.KeyValue {
	if !slices.ContainsFunc(attrs, suspect) {
		return attrs
	}
	valid := make([]attribute.KeyValue, len(attrs))
	for i, kv := range attrs {
		valid[i] = attribute.KeyValue{Key: attribute.Key(validText(string(kv.Key))), Value: validValue(kv.Value)}
	}
	return valid
}

func validValue(v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(validText(v.AsString()))
	case attribute.STRINGSLICE:
		list := v.AsStringSlice()
		for i := range list {
			list[i] = validText(list[i])
		}
		return attribute.StringSliceValue(list)
	case attribute.SLICE:
		list := v.AsSlice()
		for i := range list {
			list[i] = validValue(list[i])
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		return attribute.MapValue(validAttributes(v.AsMap())...)
	}
	return v
}
