package server

import (
	"context"
	str "strings"
)

// Serverは接続を受け付けます。
type Server struct {
	Handler
	log *Log
}

type Handler interface {
	Serve(ctx context.Context) error
}

func New(log *Log) *Server {
	return &Server{log: log}
}

func (s *Server) Run(ctx context.Context) error {
	handle := func(name string) error {
		return s.Serve(ctx)
	}
	go s.watch()
	defer s.log.Flush()
	return handle(str.ToUpper("größe"))
}

func (s Server) watch() { Each[int]([]int{1}, s.note) }

func (Server) note(int) {}

func (st *Stack[T]) Größe() int { return len(st.items) }

func Each[T any](all []T, do func(T)) {
	for _, one := range all {
		do(one)
	}
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}
