//! What a window looks like by name: messages through their queues, bounded dimensions, addition.
