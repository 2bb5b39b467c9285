package main

import (
	"net"
	"net/http"
	"os"
	"sync"
)

// standIn answers on the ports of an outbound app that has ended, until leave is called: calls are turned away, and probes
// get 503. Nobody else would, and the ports are open.
func standIn(files []*os.File) (leave func(), err error) {
	var listeners []net.Listener
	var wg sync.WaitGroup
	leave = func() {
		for _, l := range listeners {
			_ = l.Close() // the ports stay open: these are copies
		}
		wg.Wait()
	}
	for i, serve := range []func(net.Listener){turnAway, unavailable} {
		l, err := net.FileListener(files[i])
		if err != nil {
			leave()
			return nil, err
		}
		listeners = append(listeners, l)
		wg.Go(func() { serve(l) })
	}
	return leave, nil
}

// turnAway ends each connection at once: FreeSWITCH goes on in its dialplan.
func turnAway(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		_ = conn.Close()
	}
}

func unavailable(l net.Listener) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // the next answer is the app's
		http.Error(w, "the app has ended, a change starts it again", http.StatusServiceUnavailable)
	})}
	_ = srv.Serve(l) // ends with l
	_ = srv.Close()
}
