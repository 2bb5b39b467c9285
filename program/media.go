package program

import (
	"context"

	"github.com/genesis-esl/genesis/call"
)

func playback(ctx context.Context, v *visit, r request) (any, error) {
	file, err := r.text()
	if err != nil {
		return nil, err
	}
	played, err := v.s.Playback(ctx, file)
	if err != nil {
		return nil, err
	}
	return map[string]any{"response": played.Response, "seconds": played.Duration.Seconds(), "terminator": played.Terminator}, nil
}

func digits(ctx context.Context, v *visit, r request) (any, error) {
	var d struct {
		Min          int     `json:"min"`
		Max          int     `json:"max"`
		Tries        int     `json:"tries"`
		Timeout      float64 `json:"timeout"`
		DigitTimeout float64 `json:"digit_timeout"`
		Terminators  string  `json:"terminators"`
		File         string  `json:"file"`
		InvalidFile  string  `json:"invalid_file"`
		Pattern      string  `json:"pattern"`
	}
	if err := r.decode(&d); err != nil {
		return nil, err
	}
	ask := call.Digits{
		Min: d.Min, Max: d.Max, Tries: d.Tries, Timeout: duration(d.Timeout), DigitTimeout: duration(d.DigitTimeout),
		Terminators: d.Terminators, File: d.File, InvalidFile: d.InvalidFile, Pattern: d.Pattern,
	}
	if ask.File == "" {
		return nonNil(v.s.ReadDigits(ctx, ask))
	}
	return nonNil(v.s.PlayAndGetDigits(ctx, ask))
}

func say(ctx context.Context, v *visit, r request) (any, error) {
	var s struct{ Module, Type, Method, Gender, Text string }
	if err := r.decode(&s); err != nil {
		return nil, err
	}
	return nil, v.s.Say(ctx, call.Say{Module: s.Module, Type: s.Type, Method: s.Method, Gender: s.Gender, Text: s.Text})
}

func speak(ctx context.Context, v *visit, r request) (any, error) {
	var s struct{ Engine, Voice, Text string }
	if err := r.decode(&s); err != nil {
		return nil, err
	}
	return nil, v.s.Speak(ctx, call.Speech{Engine: s.Engine, Voice: s.Voice, Text: s.Text})
}

func record(ctx context.Context, v *visit, r request) (any, error) {
	var rec struct {
		File             string  `json:"file"`
		Limit            float64 `json:"limit"`
		Silence          float64 `json:"silence"`
		SilenceThreshold int     `json:"silence_threshold"`
	}
	if err := r.decode(&rec); err != nil {
		return nil, err
	}
	recorded, err := v.s.Record(ctx, call.Recording{
		File: rec.File, Limit: duration(rec.Limit), Silence: duration(rec.Silence), SilenceThreshold: rec.SilenceThreshold,
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"seconds": recorded.Duration.Seconds(), "terminator": recorded.Terminator}, nil
}

func sleep(ctx context.Context, v *visit, r request) (any, error) {
	var seconds float64
	if err := r.decode(&seconds); err != nil {
		return nil, err
	}
	return nil, v.s.Sleep(ctx, duration(seconds))
}

func sendDTMF(ctx context.Context, v *visit, r request) (any, error) {
	keys, err := r.text()
	if err != nil {
		return nil, err
	}
	var seconds float64
	if err := r.field("duration", &seconds); err != nil {
		return nil, err
	}
	return nil, v.s.SendDTMF(ctx, keys, duration(seconds))
}
