// Package outbound is the server that FreeSWITCH connects to. It has one Session for every
// call whose dialplan says
//
//	<action application="socket" data="127.0.0.1:9000 async full"/>
//
// A Session is a call.Channel, so a handler reads like the call it controls:
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
// The context of a handler ends with the call; context.Cause then is the hangup cause.
// When the handler returns, a call that is still up is hung up, unless it was transferred
// or Resume was called. Legs that the session has originated and left parked are hung up
// too.
//
// All four modes of the socket application work; an operation that a mode cannot do fails
// with a *call.ModeError. Prefer "async full".
//
// The protocol has no authentication: whoever reaches the listener can pose as a call.
// Listen on a loopback or private address, and name the FreeSWITCH hosts in Server.Allow.
//
// To watch or control all calls over one connection, use package consumer, or an
// esl.Client with a call.Controller.
package outbound
