//! A method of one object, replaced without a class of ours in its place.

use pyo3::{
    PyTraverseError, PyVisit, intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyType},
};

/// The base class of what stands in the place of a method of one object, which stays the object that it is.
#[pyclass(subclass, frozen, module = "firstbyte._firstbyte")]
pub(crate) struct Replaced {
    /// Held: somebody may keep the method and let go of its object, as he may with a bound one.
    owner: Py<PyAny>,
    name: Py<PyString>,
    /// What stood in the object itself, where somebody else has put something.
    own: Option<Py<PyAny>>,
}

#[pymethods]
impl Replaced {
    #[new]
    fn new(owner: &Bound<'_, PyAny>, name: Py<PyString>) -> PyResult<Self> {
        Self::of_object(owner, name)
    }

    /// Takes its place.
    fn put(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.owner.bind(slf.py()).setattr(this.name.bind(slf.py()), slf)
    }

    /// Gives the place back.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        let (owner, name) = (self.owner.bind(py), self.name.bind(py));
        match &self.own {
            Some(own) => owner.setattr(name, own),
            None => owner.delattr(name),
        }
    }

    /// The one of this class that is in the place of a method.
    #[classmethod]
    fn of<'py>(
        class: &Bound<'py, PyType>,
        owner: &Bound<'py, PyAny>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let there = attributes(owner)?.call_method1("get", (name,))?;
        Ok(there.is_instance(class)?.then_some(there))
    }

    /// The method, looked up at each call: its class may have been patched since.
    fn original<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(own) = &self.own {
            return Ok(own.bind(py).clone());
        }
        let owner = self.owner.bind(py);
        let kind = owner.get_type();
        for class in kind.mro() {
            let names = attributes(&class)?;
            if !names.contains(&self.name)? {
                continue;
            }
            let method = names.get_item(&self.name)?;
            let binds = method.get_type().getattr_opt(intern!(py, "__get__"))?;
            return match binds {
                Some(bind) => bind.call1((method, owner, kind)),
                None => Ok(method),
            };
        }
        owner.call_method1(intern!(py, "__getattr__"), (&self.name,))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.owner)?;
        visit.call(&self.own)
    }
}

impl Replaced {
    pub(crate) fn of_object(owner: &Bound<'_, PyAny>, name: Py<PyString>) -> PyResult<Self> {
        let own = attributes(owner)?.call_method1(intern!(owner.py(), "get"), (&name,))?;
        let own = (!own.is_none()).then(|| own.unbind());
        Ok(Self { owner: owner.clone().unbind(), name, own })
    }

    /// Calls the method, without a bound one where it is a plain function of the class.
    #[inline]
    pub(crate) fn call_original<'py>(
        &self,
        argument: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = argument.py();
        if self.own.is_none() {
            let owner = self.owner.bind(py);
            let function = owner.get_type().getattr_opt(self.name.bind(py))?;
            if let Some(function) = function.filter(is_function) {
                return function.call1((owner, argument));
            }
        }
        self.original(py)?.call1((argument,))
    }
}
fn is_function(object: &Bound<'_, PyAny>) -> bool {
    static FUNCTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    FUNCTION
        .import(object.py(), "types", "FunctionType")
        .is_ok_and(|function| object.get_type().is(function))
}

/// `vars(object)`.
fn attributes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    object.getattr(intern!(object.py(), "__dict__"))
}
