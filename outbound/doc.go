// Package outbound is the server that FreeSWITCH connects to: one Session for every
// call whose dialplan says
//
//	<action application="socket" data="127.0.0.1:9000 async full"/>
//
// A Session is a call.Channel, so that a handler reads like the call it controls:
//
//	srv := &outbound.Server{Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
//		if err := s.Answer(ctx); err != nil {
//			return err
//		}
//		_, err := s.Playback(ctx, "ivr/ivr-welcome.wav")
//		return err
//	})}
//	log.Fatal(srv.ListenAndServe(ctx, "127.0.0.1:9000"))
//
// The handler's scope is the call's: its context ends with the call, with the hangup
// cause as context.Cause, and when the handler returns, a call that is still up is
// hung up, unless it was transferred or Resume was called. So are legs that the session
// has made and left parked.
//
// All four modes of the socket application work; what a mode cannot do is a
// *call.ModeError. Prefer "async full". Nothing is authenticated in this protocol: whoever
// reaches the listener can be a call. Listen on a loopback or private address, and
// name the FreeSWITCH hosts in Server.Allow.
//
// Where one connection should watch or control all calls, use package consumer or an
// esl.Client with a call.Controller instead.
package outbound
