//! The frame of fused operations: an operation states its forward and its backward, the rest is here.
//!
//! candle's own frame asks each operation for a storage and a layout per argument. Ours reads contiguous `f32` values
//! only, so that it can hand out slices.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Tensor, bail};

/// An argument of a fused operation.
#[derive(Clone, Copy)]
pub struct Argument<'a> {
    /// The values, row-major.
    pub values: &'a [f32],
    /// The shape.
    pub shape: &'a Shape,
}

impl Argument<'_> {
    /// Size of the last dimension.
    ///
    /// # Errors
    /// When there is no dimension, or the last one is empty.
    pub fn last_dim(&self) -> Result<usize> {
        match self.shape.dims().last() {
            Some(&width) if width > 0 => Ok(width),
            _ => bail!("a fused operation needs at least one dimension"),
        }
    }

    /// `values` in the shape of this argument.
    pub fn shaped(&self, values: Vec<f32>) -> (Vec<f32>, Shape) {
        (values, self.shape.clone())
    }
}

/// An operation of `N` arguments on the CPU.
pub trait Fused<const N: usize>: Send + Sync + 'static {
    /// Name in error messages.
    const NAME: &'static str;

    /// Values and shape of the result.
    ///
    /// # Errors
    /// When the arguments do not fit each other.
    fn forward(&self, arguments: [Argument<'_>; N]) -> Result<(Vec<f32>, Shape)>;

    /// Gradients of the arguments, given the arguments, the result and its gradient (contiguous); none for an argument
    /// that is data. An operation that is itself a gradient has none.
    ///
    /// # Errors
    /// When the operation has no gradient, or a tensor operation fails.
    fn backward(
        &self,
        _arguments: [&Tensor; N],
        _result: &Tensor,
        _gradient: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        Err(Error::BackwardNotSupported { op: Self::NAME })
    }
}

/// The result of an operation of one argument, with a gradient.
///
/// # Errors
/// As [`Fused::forward`], and when the argument is not `f32` on the CPU.
pub fn apply1(operation: impl Fused<1>, x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Frame(operation))
}

/// The result of an operation of two arguments, with gradients.
///
/// # Errors
/// As [`apply1`].
pub fn apply2(operation: impl Fused<2>, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&y.contiguous()?, Frame(operation))
}

/// As [`apply1`], without a gradient.
///
/// # Errors
/// As [`apply1`].
pub fn evaluate1(operation: impl Fused<1>, x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Frame(operation))
}

/// As [`apply2`], without a gradient.
///
/// # Errors
/// As [`apply1`].
pub fn evaluate2(operation: impl Fused<2>, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2_no_bwd(&y.contiguous()?, &Frame(operation))
}

/// The result of an operation of three arguments, without a gradient.
///
/// # Errors
/// As [`apply1`].
pub fn evaluate3(operation: impl Fused<3>, x: &Tensor, y: &Tensor, z: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3_no_bwd(&y.contiguous()?, &z.contiguous()?, &Frame(operation))
}

/// Makes candle's custom operation of ours.
struct Frame<F>(F);

fn argument<'a>(storage: &'a CpuStorage, layout: &'a Layout) -> Result<Argument<'a>> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => {
            Ok(Argument { values: &values[start..end], shape: layout.shape() })
        }
        _ => bail!("a fused operation needs contiguous f32 arguments"),
    }
}

fn stored((values, shape): (Vec<f32>, Shape)) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), shape)
}

impl<F: Fused<1>> CustomOp1 for Frame<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.forward([argument(storage, layout)?]).map(stored)
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [dx] = self.0.backward([x], result, &gradient.contiguous()?)?;
        Ok(dx)
    }
}

impl<F: Fused<2>> CustomOp2 for Frame<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.0.forward([argument(s1, l1)?, argument(s2, l2)?]).map(stored)
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dy] = self.0.backward([x, y], result, &gradient.contiguous()?)?;
        Ok((dx, dy))
    }
}

impl<F: Fused<3>> CustomOp3 for Frame<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.0.forward([argument(s1, l1)?, argument(s2, l2)?, argument(s3, l3)?]).map(stored)
    }
}
