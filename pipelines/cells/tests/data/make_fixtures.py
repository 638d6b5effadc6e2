"""Writes the small files that the tests read, and beside each what anndata (or scipy) sees in it.

    python -m venv venv && venv/bin/pip install anndata h5py scipy hdf5plugin
    venv/bin/python make_fixtures.py            # writes into the folder of this script
    venv/bin/python make_fixtures.py --large N PATH   # a csr gzip .h5ad of N stored values

The HDF5 files are packed with gzip here, since they are mostly empty space; tests unpack them.
Every number is drawn from a fixed seed. A line of a `.csv` is a row of the table that the crate should
give; `NULL` stands for null, and floats are written so that they read back to the same double.
"""

import csv
import gzip
import pathlib
import shutil
import sys
import warnings

import anndata
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

HERE = pathlib.Path(__file__).resolve().parent
CELLS, GENES = 23, 11


def main():
    warnings.filterwarnings("ignore")
    if "--large" in sys.argv:
        return large(int(sys.argv[2]), sys.argv[3])
    write(annotated(), "csr")
    write(plain(sp.csc_matrix, "float64"), "csc_gzip", compression="gzip")
    write(plain(np.asarray, "float32"), "dense")
    write(plain(np.asarray, "int32"), "dense_gzip", compression="gzip")
    write(plain(sp.csr_matrix, "int64"), "csr_lzf", compression="lzf")
    explicit_zeros()
    latest()
    newest()
    legacy_categories()
    for name, codec in {"zstd": hdf5plugin.Zstd(), "blosc": hdf5plugin.Blosc(), "lz4": hdf5plugin.LZ4()}.items():
        filtered(name, codec)
    tenx_v3()
    tenx_v2()
    market_v3()
    market_v2()
    for path in sorted(HERE.glob("*.h5*")):
        if path.suffix in (".h5", ".h5ad"):
            pack(path)


def numbers(dtype, seed=1):
    """Counts with many zeros; negative and fractional values where the type holds them."""
    rng = np.random.default_rng(seed)
    dense = rng.poisson(0.6, (CELLS, GENES)).astype(dtype)
    dense[4, :] = 0
    dense[:, 3] = 0
    if np.issubdtype(dense.dtype, np.floating):
        dense[dense > 1] += rng.normal(size=(dense > 1).sum()).astype(dtype)
        dense[0, 0] = -1.5
    return dense


def names():
    cells = [f"AAACC-{row:02d}-1" for row in range(CELLS)]
    genes = [f"GENE{column}" for column in range(GENES)]
    genes[2] = "β-actin"
    return pd.Index(cells), pd.Index(genes)


def plain(form, dtype):
    cells, genes = names()
    return anndata.AnnData(form(numbers(dtype)), obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=genes))


def annotated():
    adata = plain(sp.csr_matrix, "float32")
    row = np.arange(CELLS)
    obs = adata.obs
    obs["cluster"] = pd.Categorical.from_codes(np.where(row % 7 == 3, -1, row % 3), ["T cell", "B cell", "naïve"])
    obs["stage"] = pd.Categorical.from_codes(row % 2, ["early", "late"], ordered=True)
    obs["batch"] = pd.Categorical.from_codes(row % 4, [10, 20, 30, 40])
    obs["n_counts"] = row * 100
    obs["small"] = (row % 5).astype("uint8")
    obs["score"] = np.where(row % 6 == 1, np.nan, row / 8.0)
    obs["is_doublet"] = row % 9 == 2
    obs["donor"] = [f"donor {value % 3}" for value in row]
    obs["age"] = pd.array([None if value % 5 == 0 else int(value) for value in row], dtype="Int64")
    obs["passed"] = pd.array([None if value % 4 == 0 else bool(value % 2) for value in row], dtype="boolean")
    obs["dose"] = (row / 3).astype("float32")
    adata.var["chromosome"] = pd.Categorical([f"chr{column % 2 + 1}" for column in range(GENES)])
    adata.var["length"] = np.arange(GENES) * 7
    adata.layers["counts"] = sp.csc_matrix(numbers("int16", seed=2))
    adata.layers["scaled"] = numbers("float64", seed=3)
    full = anndata.AnnData(
        sp.csr_matrix(np.hstack([numbers("float32", seed=4), np.ones((CELLS, 1), "float32")])),
        obs=pd.DataFrame(index=adata.obs_names),
        var=pd.DataFrame({"kept": [True] * GENES + [False]}, index=[*adata.var_names, "DROPPED"]),
    )
    adata.raw = full
    adata.uns["note"] = "not read"
    adata.obsm["pca"] = np.zeros((CELLS, 2))
    return adata


def write(adata, name, **options):
    path = HERE / f"{name}.h5ad"
    adata.write_h5ad(path, **options)
    expect(anndata.read_h5ad(path), name)


def expect(adata, name):
    """Writes anndata's own view of a file."""
    expect_values(f"{name}.values", adata.X, adata.obs_names, adata.var_names)
    for layer in adata.layers:
        expect_values(f"{name}.{layer}.values", adata.layers[layer], adata.obs_names, adata.var_names)
    expect_frame(f"{name}.cells", "cell", adata.obs)
    expect_frame(f"{name}.genes", "gene", adata.var)
    if adata.raw is not None:
        expect_values(f"{name}.raw.values", adata.raw.X, adata.obs_names, adata.raw.var_names)
        expect_frame(f"{name}.raw.genes", "gene", adata.raw.var)


def expect_values(name, matrix, cells, genes):
    if sp.issparse(matrix):
        stored = matrix.tocoo()
        rows, columns, values = stored.row, stored.col, stored.data
    else:
        rows, columns = np.nonzero(matrix)
        values = np.asarray(matrix)[rows, columns]
    lines = [(cells[r], genes[c], repr(float(v))) for r, c, v in zip(rows, columns, values) if v != 0]
    table(name, ["cell", "gene", "value"], lines)


def expect_frame(name, index, frame):
    columns = [[text(value) for value in frame[column]] for column in frame.columns]
    table(name, [index, *frame.columns], zip(frame.index, *columns))


def text(value):
    if pd.isna(value):
        return "NULL"
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value)


def table(name, header, lines):
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def explicit_zeros():
    adata = plain(sp.csr_matrix, "float32")
    adata.X.data[::5] = 0
    write(adata, "zeros")


def latest():
    """The same content in the file format of HDF5 1.10 to 1.14, chunks smaller than the matrix, shuffled, checked."""
    with h5py.File(HERE / "csr.h5ad") as old, h5py.File(HERE / "latest.h5ad", "w", libver=("v110", "v114")) as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for key in old:
            if key != "X":
                old.copy(key, new)
        group = new.create_group("X")
        for key, value in old["X"].attrs.items():
            group.attrs[key] = value
        for key, extent in (("data", None), ("indices", None), ("indptr", CELLS + 1)):
            group.create_dataset(key, data=old["X"][key][...], chunks=(8,), maxshape=(extent,), compression="gzip",
                                 shuffle=True, fletcher32=True)
    expect(anndata.read_h5ad(HERE / "latest.h5ad"), "latest")


def newest():
    """The format that HDF5 2.0 writes when asked for its own: refused."""
    plain(np.asarray, "float32").write_h5ad(HERE / "newest.h5ad")
    with h5py.File(HERE / "newest.h5ad") as old, h5py.File(HERE / "hdf5_v2.h5ad", "w", libver="latest") as new:
        old.copy("obs", new)
        old.copy("var", new)
        new.create_dataset("X", data=old["X"][...], chunks=(5, 11), compression="gzip")
    (HERE / "newest.h5ad").unlink()


def legacy_categories():
    """Categories as anndata 0.7 wrote them: codes in place, categories under `__categories`."""
    adata = annotated()
    del adata.raw
    adata.layers.clear()
    adata.obs = adata.obs[["cluster", "n_counts"]]
    path = HERE / "legacy.h5ad"
    adata.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        for frame in ("obs", "var"):
            file[frame].attrs["encoding-version"] = "0.1.0"
        group = file["obs/cluster"]
        codes, categories = group["codes"][...], group["categories"][...]
        del file["obs/cluster"]
        stored = file.create_dataset("obs/__categories/cluster", data=categories)
        file["obs/cluster"] = codes
        file["obs/cluster"].attrs["categories"] = stored.ref
    expect(anndata.read_h5ad(path), "legacy")


def filtered(name, codec):
    """A matrix whose values pass a filter that is not part of HDF5: refused."""
    path = HERE / f"{name}.h5ad"
    plain(sp.csr_matrix, "float32").write_h5ad(path)
    with h5py.File(path, "r+") as file:
        values = file["X/data"][...]
        del file["X/data"]
        file["X"].create_dataset("data", data=values, chunks=values.shape, **codec)


def features():
    _, genes = names()
    return [f"ENSG{column:08d}" for column in range(GENES)], ["shared" if g == "GENE4" else g for g in genes]


def tenx_v3():
    """The layout 10x Genomics describes for Cell Ranger 3 and later: genes by cells, compressed by column."""
    counts = sp.csc_matrix(numbers("int32", seed=5).T)
    ids, symbols = features()
    barcodes = names()[0]
    with h5py.File(HERE / "tenx_v3.h5", "w") as file:
        file.attrs["chemistry_description"] = "made"
        group = file.create_group("matrix")
        packed = {"compression": "gzip", "chunks": (16,), "maxshape": (None,)}
        group.create_dataset("barcodes", data=np.array(list(barcodes), "S18"))
        group.create_dataset("data", data=counts.data, **packed)
        group.create_dataset("indices", data=counts.indices.astype("int64"), **packed)
        group.create_dataset("indptr", data=counts.indptr.astype("int64"), **packed)
        group.create_dataset("shape", data=np.array(counts.shape, "int32"))
        described = group.create_group("features")
        described.create_dataset("_all_tag_keys", data=np.array([b"genome"]))
        described.create_dataset("id", data=np.array(ids, "S15"))
        described.create_dataset("name", data=np.array([s.encode() for s in symbols]))
        described.create_dataset("feature_type", data=np.array([b"Gene Expression"] * GENES))
        described.create_dataset("genome", data=np.array([b"GRCh38"] * GENES))
    expect_values("tenx_v3.values", sp.csr_matrix(counts.T), barcodes, ids)
    table("tenx_v3.genes", ["gene", "name", "feature_type", "genome"],
          [(i, s, "Gene Expression", "GRCh38") for i, s in zip(ids, symbols)])


def tenx_v2():
    """The layout before Cell Ranger 3, one group a genome: refused."""
    with h5py.File(HERE / "tenx_v2.h5", "w") as file:
        group = file.create_group("GRCh38")
        group["barcodes"] = np.array(list(names()[0]), "S18")
        group["genes"] = np.array(features()[0], "S15")


def market_v3():
    folder = fresh("market_v3")
    counts = sp.csc_matrix(numbers("int32", seed=6).T)
    ids, symbols = features()
    scipy.io.mmwrite(folder / "matrix.mtx", counts, field="integer", symmetry="general", comment="made\n with care")
    pack(folder / "matrix.mtx")
    (folder / "barcodes.tsv").write_text("".join(f"{cell}\n" for cell in names()[0]))
    pack(folder / "barcodes.tsv")
    lines = [f"{i}\t{s}\tGene Expression\n" for i, s in zip(ids, symbols)]
    (folder / "features.tsv").write_text("".join(lines))
    pack(folder / "features.tsv")
    read = scipy.io.mmread(folder / "matrix.mtx.gz").tocsc()
    expect_values("market_v3.values", read.T.tocsr(), names()[0], ids)
    table("market_v3.genes", ["gene", "name", "feature_type"],
          [(i, s, "Gene Expression") for i, s in zip(ids, symbols)])


def market_v2():
    folder = fresh("market_v2")
    dense = numbers("float64", seed=7).T
    ids, symbols = features()
    scipy.io.mmwrite(folder / "matrix.mtx", sp.csr_matrix(dense), symmetry="general", precision=17)
    (folder / "barcodes.tsv").write_text("".join(f"{cell}\n" for cell in names()[0]))
    (folder / "genes.tsv").write_text("".join(f"{i}\t{s}\n" for i, s in zip(ids, symbols)))
    read = scipy.io.mmread(folder / "matrix.mtx").tocsr().tocoo()
    lines = [(names()[0][c], ids[g], repr(float(v))) for g, c, v in zip(read.row, read.col, read.data)]
    table("market_v2.values", ["cell", "gene", "value"], lines)
    table("market_v2.genes", ["gene", "name"], zip(ids, symbols))


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def pack(path):
    """Compresses a file in its place, without a time, so that it is the same each time."""
    packed = gzip.compress(path.read_bytes(), mtime=0)
    path.with_name(path.name + ".gz").write_bytes(packed)
    path.unlink()


def large(stored, path):
    """A matrix like that of a large experiment: counts, 2 000 genes seen in a cell of 30 000."""
    rng = np.random.default_rng(1)
    a_cell, n_genes = 2000, 30000
    n_cells = stored // a_cell
    indices = np.empty(n_cells * a_cell, "int32")
    weight = rng.gamma(0.6, size=n_genes)
    cumulated = np.cumsum(weight / weight.sum())
    for cell in range(n_cells):
        drawn = np.unique(np.searchsorted(cumulated, rng.random(a_cell * 2)))
        if len(drawn) < a_cell:
            drawn = np.union1d(drawn, rng.choice(n_genes, a_cell * 4, replace=False))
        indices[cell * a_cell:(cell + 1) * a_cell] = np.sort(rng.choice(drawn, a_cell, replace=False))
    data = (1 + rng.poisson(0.8, len(indices))).astype("float32")
    indptr = np.arange(n_cells + 1, dtype="int64") * a_cell
    matrix = sp.csr_matrix((data, indices, indptr), shape=(n_cells, n_genes))
    obs = pd.DataFrame(index=[f"{cell:016d}-1" for cell in range(n_cells)])
    var = pd.DataFrame(index=[f"ENSG{gene:011d}" for gene in range(n_genes)])
    anndata.AnnData(matrix, obs=obs, var=var).write_h5ad(path, compression="gzip")


main()
