"""The smplx package as it reads AMASS's columns."""

from types import SimpleNamespace

import numpy as np
import pytest


def amass_joints(arrays, poses, betas, trans):
    """Joints (F,22,3) m of an SMPL body by the steps of AMASS's own notebook: root_orient 0:3, pose_body 3:66, betas, trans.

    Args:
        arrays: of the body's file, under their official names.
    """
    torch, smplx = pytest.importorskip("torch"), pytest.importorskip("smplx")
    vertex_ids = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
    layer = smplx.SMPL("", data_struct=SimpleNamespace(**arrays), vertex_ids=vertex_ids, dtype=torch.float64, batch_size=len(poses))
    posed = layer(
        betas=torch.tensor(np.tile(betas[:10].astype(float), (len(poses), 1))),
        global_orient=torch.tensor(poses[:, :3].astype(float)),
        body_pose=torch.tensor(np.pad(poses[:, 3:66].astype(float), ((0, 0), (0, 6)))),
        transl=torch.tensor(trans.astype(float)),
    )
    return posed.joints[:, :22].detach().numpy()
