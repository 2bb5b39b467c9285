package esltest

import "net"

// Fault is something that goes wrong.
type Fault struct{ Kind FaultKind }

// FaultKind is.
type FaultKind string

// FaultACL rejects.
const FaultACL FaultKind = "acl"

func (s *Server) faulty(conn net.Conn) net.Conn { return conn }
func (s *Server) refuse(net.Conn) bool          { return false }
func (s *Server) rejects() bool                 { return len(s.cfg.Faults) > 0 }
func (s *Server) wrongPassword() bool           { return false }
func (s *Server) heartbeatDue(*core) bool       { return true }
