//! Entries of the queues of listeners.

/// Entry of a listener's queue.
///
/// ```
/// # use rustuya_runtime::Entry;
/// #[derive(Clone)]
/// enum Item {
///     Number(u32),
///     Lagged(u64),
/// }
///
/// impl Entry for Item {
///     fn lagged(lost: u64) -> Option<Self> {
///         Some(Self::Lagged(lost))
///     }
/// }
/// ```
pub trait Entry: Clone {
    /// Returns the entry by which a slow listener learns how many entries it lost; `None` if losses are only counted.
    fn lagged(lost: u64) -> Option<Self>;

    /// Returns its memory in a queue, in bytes, approximately. Memory shared by several queues counts in each of them.
    /// The queue is locked meanwhile, as it is for [`lagged`](Self::lagged): neither may use a listener.
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}
