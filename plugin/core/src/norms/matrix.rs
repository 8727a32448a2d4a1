//! The algebra of small symmetric matrices that Gaussians over a [`Balance`] need.

use super::levels::Balance;
use crate::stem::Stem;

/// Size of the matrices: one row and column per target.
const SIZE: usize = Stem::TARGET_COUNT;

/// A square matrix with one row and column per target, row by row.
pub type Matrix = [[f64; SIZE]; SIZE];

/// Lower-triangular Cholesky factor, none where the matrix is not positive definite.
pub fn cholesky(matrix: &Matrix) -> Option<Matrix> {
    let mut lower = [[0.0; SIZE]; SIZE];
    for row in 0..SIZE {
        for column in 0..=row {
            let sum: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = matrix[row][column] - sum;
            if row == column {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                lower[row][row] = rest.sqrt();
            } else {
                lower[row][column] = rest / lower[column][column];
            }
        }
    }
    Some(lower)
}

/// Inverse of a lower-triangular matrix with a non-zero diagonal.
pub fn invert_lower(lower: &Matrix) -> Matrix {
    let mut inverse = [[0.0; SIZE]; SIZE];
    for column in 0..SIZE {
        inverse[column][column] = 1.0 / lower[column][column];
        for row in column + 1..SIZE {
            let sum: f64 = (column..row).map(|k| lower[row][k] * inverse[k][column]).sum();
            inverse[row][column] = -sum / lower[row][row];
        }
    }
    inverse
}

/// Inverse of a symmetric positive definite matrix, none where it is not.
pub fn invert(matrix: &Matrix) -> Option<Matrix> {
    let inverse = invert_lower(&cholesky(matrix)?);
    Some(multiply(&transpose(&inverse), &inverse))
}

/// Matrix times vector.
pub fn apply(matrix: &Matrix, vector: Balance) -> Balance {
    std::array::from_fn(|row| (0..SIZE).map(|k| matrix[row][k] * vector[k]).sum())
}

/// Matrix times matrix.
pub fn multiply(left: &Matrix, right: &Matrix) -> Matrix {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| (0..SIZE).map(|k| left[row][k] * right[k][column]).sum())
    })
}

/// Rows for columns.
pub fn transpose(matrix: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|column| matrix[column][row]))
}

/// Entry-wise difference.
pub fn subtract(left: &Matrix, right: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|column| left[row][column] - right[row][column]))
}

/// The matrix with `diagonal` added to its diagonal.
pub fn add_diagonal(matrix: &Matrix, diagonal: Balance) -> Matrix {
    let mut sum = *matrix;
    for (index, value) in diagonal.into_iter().enumerate() {
        sum[index][index] += value;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_the_identity() {
        let matrix = [[4.0, 1.0, -0.5], [1.0, 3.0, 0.2], [-0.5, 0.2, 2.0]];
        let product = multiply(&invert(&matrix).expect("positive definite"), &matrix);
        for (row, values) in product.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let expected = if row == column { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-12);
            }
        }
        assert!(cholesky(&[[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).is_none());
    }
}
