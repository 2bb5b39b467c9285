package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/queue"
)

func Example() {
	ctx := context.Background()
	queues, err := queue.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	slot, err := queues.Acquire(ctx, "sales", queue.Limit(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("serving the first caller")

	second, err := queues.Join(ctx, "sales", queue.Timeout(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the second caller is number", second.Position().Place)
	_ = slot.Release(ctx)

	slot, err = second.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer slot.Release(ctx)
	fmt.Println("serving the second caller")
	// Output:
	// serving the first caller
	// the second caller is number 1
	// serving the second caller
}

func ExampleTicket_Positions() {
	ctx := context.Background()
	queues, _ := queue.New(queue.Config{})
	first, _ := queues.Acquire(ctx, "support")
	second, _ := queues.Join(ctx, "support")
	third, _ := queues.Join(ctx, "support")
	for pos := range third.Positions(ctx) { // ends with the turn
		fmt.Println("you are number", pos.Place)
		if pos.Place == 2 {
			_ = second.Leave(ctx)
		} else {
			_ = first.Release(ctx)
		}
	}
	slot, _ := third.Wait(ctx)
	defer slot.Release(ctx)
	fmt.Println("it is your turn")
	// Output:
	// you are number 2
	// you are number 1
	// it is your turn
}

func ExampleSemaphore_Do() {
	queues, _ := queue.New(queue.Config{})
	trunk := queues.Semaphore("trunk", queue.Limit(30), queue.Timeout(5*time.Second))
	err := trunk.Do(context.Background(), func(ctx context.Context) error {
		fmt.Println("calling; ctx ends when the slot is lost")
		return nil
	})
	fmt.Println(err)
	// Output:
	// calling; ctx ends when the slot is lost
	// <nil>
}

func ExampleNewRedis() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	backend, err := queue.NewRedis(client, queue.RedisConfig{Prefix: "callcenter"})
	if err != nil {
		log.Fatal(err)
	}
	queues, err := queue.New(queue.Config{Backend: backend})
	if err != nil {
		log.Fatal(err)
	}
	_ = queues // Acquire and Join now queue with every process that uses this Redis
}
